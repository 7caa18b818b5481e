/**
 * A TCP port for a broker that must come back on the same one.
 */
import { createServer } from "node:net";

/** Finds a TCP port of the loopback interface that is free now. */
export async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" ? address!.port : 0));
    });
  });
}

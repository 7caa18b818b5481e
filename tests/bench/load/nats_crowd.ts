/**
 * The peer of many connections: NATS clients with one subscription each.
 */
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { connectAll } from "./crowd.ts";
import type { Prepared } from "./main.ts";
import type { CrowdResult, NatsCrowdOrder } from "./order.ts";

/** Connects all when it is told to go. */
export function prepareNatsCrowd(order: NatsCrowdOrder): Prepared {
  let connections: NatsConnection[] = [];
  return {
    async run(): Promise<CrowdResult> {
      const { result, connected } = await connectAll(
        order.connections,
        order.concurrency,
        async (index) => {
          const connection = await connect({ servers: `127.0.0.1:${order.port}` });
          connection.subscribe(`idle.${index}`);
          await connection.flush();
          return connection;
        },
      );
      connections = connected;
      return result;
    },
    async end() {
      await Promise.all(connections.map((connection) => connection.close()));
    },
  };
}

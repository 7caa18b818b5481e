/**
 * A load process: takes an order on standard input, connects, says `"ready"`, waits for `"go"`, runs, and prints the
 * result. It ends when its standard input is closed.
 */
import { TextLineStream } from "../text_line_stream.ts";
import { prepareCrowd } from "./crowd.ts";
import { prepareDrain, prepareQueue } from "./queue.ts";
import { prepareFanOut } from "./fan_out.ts";
import { prepareNatsCrowd } from "./nats_crowd.ts";
import { prepareNatsDrain, prepareNatsFanOut, prepareNatsPace } from "./nats_consume.ts";
import { prepareNatsPublish } from "./nats_publish.ts";
import type { LoadOrder } from "./order.ts";
import { preparePace } from "./pace.ts";
import { preparePairs } from "./pairs.ts";

/** What a scenario is, once everything is connected. */
export interface Prepared {
  /** Does what is measured; returns the result. */
  run(): Promise<unknown>;
  /** Ends the connections. */
  end(): Promise<void>;
}

async function prepare(order: LoadOrder): Promise<Prepared> {
  switch (order.kind) {
    case "pairs":
      return await preparePairs(order);
    case "pace":
      return await preparePace(order);
    case "fan_out":
      return await prepareFanOut(order);
    case "crowd":
      return prepareCrowd(order);
    case "queue":
      return await prepareQueue(order);
    case "drain":
      return prepareDrain(order);
    case "nats_publish":
      return await prepareNatsPublish(order);
    case "nats_pace":
      return await prepareNatsPace(order);
    case "nats_fan_out":
      return await prepareNatsFanOut(order);
    case "nats_crowd":
      return prepareNatsCrowd(order);
    case "nats_drain":
      return prepareNatsDrain(order);
  }
}

const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream())
  .pipeThrough(new TextLineStream()).getReader();
const { value } = await lines.read();
if (value === undefined) throw new Error("there was no order");
const prepared = await prepare(JSON.parse(value) as LoadOrder);
console.log(JSON.stringify("ready"));
await lines.read();
console.log(JSON.stringify(await prepared.run()));
await lines.read();
await prepared.end();
Deno.exit(0);

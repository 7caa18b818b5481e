/**
 * What the benchmark tells a load process to do, and what comes back. One JSON line each way: the order, `"ready"`,
 * `"go"`, the result.
 */

/** A member that a load process speaks for. */
export interface Identity {
  readonly memberId: string;
  /** 64 hex */
  readonly pubkey: string;
  /** 128 hex */
  readonly secretKey: string;
}

export interface Pair {
  readonly sender: Identity;
  readonly recipient: Identity;
}

interface AtBroker {
  /** The WebSocket's address. */
  readonly url: string;
  readonly meshId: string;
}

interface AtNats {
  readonly port: number;
}

/** Direct messages between pairs, `window` of each pair under way. */
export interface PairsOrder extends AtBroker {
  readonly kind: "pairs";
  readonly pairs: readonly Pair[];
  readonly window: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

/** One pair at a fixed rate. */
export interface PaceOrder extends AtBroker {
  readonly kind: "pace";
  readonly pair: Pair;
  readonly perSecond: number;
  readonly warmUpMessages: number;
  readonly messages: number;
}

/** Broadcasts to recipients, some of which live in this process. */
export interface FanOutOrder extends AtBroker {
  readonly kind: "fan_out";
  /** Null: this process only receives. */
  readonly sender: Identity | null;
  readonly recipients: readonly Identity[];
  readonly window: number;
  /** The sender stops ahead of the slowest recipient of its process by so many messages. */
  readonly lead: number;
  readonly sendMs: number;
}

/** Connections that do nothing. */
export interface CrowdOrder extends AtBroker {
  readonly kind: "crowd";
  readonly members: readonly Identity[];
  /** Hellos under way at once. */
  readonly concurrency: number;
}

/** Messages for a member that is not connected. */
export interface QueueOrder extends AtBroker {
  readonly kind: "queue";
  readonly pair: Pair;
  readonly window: number;
  readonly messages: number;
}

/** A member that comes back to a full queue. */
export interface DrainOrder extends AtBroker {
  readonly kind: "drain";
  readonly recipient: Identity;
  readonly messages: number;
}

export interface NatsPublishOrder extends AtNats {
  readonly kind: "nats_publish";
  readonly subjects: readonly string[];
  readonly window: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export interface NatsPaceOrder extends AtNats {
  readonly kind: "nats_pace";
  readonly subject: string;
  readonly durable: string;
  readonly perSecond: number;
  readonly warmUpMessages: number;
  readonly messages: number;
}

export interface NatsFanOutOrder extends AtNats {
  readonly kind: "nats_fan_out";
  readonly subject: string | null;
  readonly durables: readonly string[];
  readonly window: number;
  readonly lead: number;
  readonly sendMs: number;
}

export interface NatsCrowdOrder extends AtNats {
  readonly kind: "nats_crowd";
  readonly connections: number;
  readonly concurrency: number;
}

export interface NatsDrainOrder extends AtNats {
  readonly kind: "nats_drain";
  readonly durable: string;
  readonly messages: number;
}

export type LoadOrder =
  | PairsOrder
  | PaceOrder
  | FanOutOrder
  | CrowdOrder
  | QueueOrder
  | DrainOrder
  | NatsPublishOrder
  | NatsPaceOrder
  | NatsFanOutOrder
  | NatsCrowdOrder
  | NatsDrainOrder;

/** What was counted inside the measured window. */
export interface RateResult {
  /** Sends that were acknowledged. */
  readonly acknowledged: number;
  /** Deliveries that were received and acknowledged by their recipient. */
  readonly delivered: number;
  /** The window's length as this process saw it. */
  readonly tookMs: number;
  /** Deliveries that came twice, out of order or for somebody else, over the whole run. */
  readonly wrong: number;
  /** Sends that were refused, over the whole run. */
  readonly refused: number;
  /** Deliveries over the whole run, warm-up and the end included. */
  readonly deliveredInAll: number;
}

export interface PaceResult {
  /** From the call of send to the delivery in the same process, one per message. */
  readonly latenciesMs: readonly number[];
}

/** Times are milliseconds since 1970, so that results of several processes can be joined. */
export interface FanOutResult {
  readonly sent: number;
  readonly delivered: number;
  readonly firstSendAtMs: number | null;
  /** When the broker had answered the last acknowledgement of this process. */
  readonly lastAckedAtMs: number;
  readonly wrong: number;
  readonly refused: number;
}

export interface CrowdResult {
  readonly connected: number;
  readonly tookMs: number;
  readonly failures: readonly string[];
}

export interface QueueResult {
  readonly acknowledged: number;
  readonly refused: number;
}

export interface DrainResult {
  readonly received: number;
  readonly wrong: number;
  /** From the start of the connection to the answer to the last acknowledgement. */
  readonly tookMs: number;
  /** From the broker's answer to the hello, the same. */
  readonly sinceHelloMs: number;
}

export interface ResultOf {
  readonly pairs: RateResult;
  readonly pace: PaceResult;
  readonly fan_out: FanOutResult;
  readonly crowd: CrowdResult;
  readonly queue: QueueResult;
  readonly drain: DrainResult;
  readonly nats_publish: RateResult;
  readonly nats_pace: PaceResult;
  readonly nats_fan_out: FanOutResult;
  readonly nats_crowd: CrowdResult;
  readonly nats_drain: DrainResult;
}

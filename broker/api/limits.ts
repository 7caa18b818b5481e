/**
 * Every limit of the wire in one place. Operators may change those marked `env` by the named variable; tests check each
 * at the limit and one past it.
 */

export interface LimitSpec {
  readonly value: number;
  readonly unit: string;
  /** The environment variable that changes it at a broker. */
  readonly env?: string;
  readonly summary: string;
}

export const LIMITS = {
  frameBytes: {
    value: 1_048_576,
    unit: "bytes",
    env: "MAX_FRAME_BYTES",
    summary: "one inbound frame",
  },
  messageBytes: {
    value: 262_144,
    unit: "bytes",
    env: "MAX_MESSAGE_BYTES",
    summary: "one message body after encryption",
  },
  connectionsPerMesh: {
    value: 1_000,
    unit: "connections",
    env: "MAX_CONNECTIONS_PER_MESH",
    summary: "connections of one mesh",
  },
  connections: {
    value: 20_000,
    unit: "connections",
    env: "MAX_CONNECTIONS",
    summary: "connections of one broker",
  },
  sendsPerMinute: {
    value: 600,
    unit: "sends/min",
    env: "MAX_SENDS_PER_MINUTE",
    summary: "messages per member",
  },
  sendBurst: {
    value: 120,
    unit: "sends",
    env: "MAX_SEND_BURST",
    summary: "messages per member at once",
  },
  requestsPerMinute: {
    value: 1_200,
    unit: "requests/min",
    env: "MAX_REQUESTS_PER_MINUTE",
    summary: "other operations per member",
  },
  requestBurst: {
    value: 600,
    unit: "requests",
    env: "MAX_REQUEST_BURST",
    summary: "other operations per member at once",
  },
  hookPostsPerMinute: {
    value: 120,
    unit: "posts/min",
    env: "MAX_HOOK_POSTS_PER_MINUTE",
    summary: "status posts per session",
  },
  claimsPerMinute: {
    value: 10,
    unit: "claims/min",
    env: "MAX_CLAIMS_PER_MINUTE",
    summary: "invite claims and joins per address",
  },
  invitePagesPerMinute: {
    value: 60,
    unit: "pages/min",
    env: "MAX_INVITE_PAGES_PER_MINUTE",
    summary: "invite pages per address",
  },
  meshCreationsPerMinute: {
    value: 30,
    unit: "meshes/min",
    env: "MAX_MESH_CREATIONS_PER_MINUTE",
    summary: "new meshes per address",
  },
  failedHellosPerMinute: {
    value: 30,
    unit: "hellos/min",
    env: "MAX_FAILED_HELLOS_PER_MINUTE",
    summary: "refused hellos per address",
  },
  unauthenticatedPerAddress: {
    value: 64,
    unit: "connections",
    env: "MAX_UNAUTHENTICATED_PER_ADDRESS",
    summary: "connections before their hello, per address",
  },
  queuedMessages: {
    value: 10_000,
    unit: "messages",
    env: "MAX_QUEUED_MESSAGES",
    summary: "open deliveries per member",
  },
  queuedBytes: {
    value: 67_108_864,
    unit: "bytes",
    env: "MAX_QUEUED_BYTES",
    summary: "open deliveries per member",
  },
  sendBufferBytes: {
    value: 8_388_608,
    unit: "bytes",
    env: "MAX_SEND_BUFFER_BYTES",
    summary: "unsent bytes per connection before it counts as a slow reader",
  },
  membersPerMesh: {
    value: 10_000,
    unit: "members",
    env: "MAX_MEMBERS_PER_MESH",
    summary: "members of one mesh",
  },
  meshesPerBroker: {
    value: 10_000,
    unit: "meshes",
    env: "MAX_MESHES",
    summary: "meshes of one broker",
  },
  invitesPerMesh: {
    value: 1_000,
    unit: "invites",
    env: "MAX_INVITES_PER_MESH",
    summary: "usable invites of one mesh",
  },
  fileBytes: {
    value: 5_368_709_120,
    unit: "bytes",
    env: "MAX_FILE_BYTES",
    summary: "one shared file, encrypted",
  },
  meshFileBytes: {
    value: 53_687_091_200,
    unit: "bytes",
    env: "MAX_MESH_FILE_BYTES",
    summary: "shared files and open uploads of one mesh together",
  },
  meshFiles: {
    value: 10_000,
    unit: "files",
    env: "MAX_MESH_FILES",
    summary: "shared files and open uploads of one mesh",
  },
  openUploads: {
    value: 16,
    unit: "uploads",
    env: "MAX_OPEN_UPLOADS",
    summary: "uploads of one member that are not committed",
  },
  fileTransfers: {
    value: 128,
    unit: "transfers",
    env: "MAX_FILE_TRANSFERS",
    summary: "uploads and downloads that run at once at one broker",
  },
  fileNameChars: { value: 255, unit: "characters", summary: "a shared file's name" },
  fileKeys: { value: 256, unit: "keys", summary: "members that one file is sealed to" },
  fileListRows: { value: 500, unit: "files", summary: "files of one list answer" },
  transferUrlMs: { value: 60_000, unit: "ms", summary: "life of an upload's or download's URL" },
  transferStallMs: { value: 60_000, unit: "ms", summary: "silence that ends a transfer" },
  uploadLifeMs: {
    value: 86_400_000,
    unit: "ms",
    summary: "time after which an upload is given up that nobody went on with",
  },
  ephemeralMs: { value: 86_400_000, unit: "ms", summary: "life of an ephemeral file unless told" },
  ephemeralMostMs: { value: 2_592_000_000, unit: "ms", summary: "longest life of one" },
  peerFileBytes: { value: 67_108_864, unit: "bytes", summary: "one file read from a peer" },
  peerFileChunkBytes: { value: 524_288, unit: "bytes", summary: "one part of such a file" },
  peerFileRequestChars: {
    value: 16_384,
    unit: "characters",
    summary: "what is asked of a peer, encrypted",
  },
  peerFileSealedChars: {
    value: 983_040,
    unit: "characters",
    summary: "one answer of a peer, encrypted",
  },
  peerFileRequests: {
    value: 8,
    unit: "requests",
    summary: "requests for peers' files that one member has open",
  },
  peerFileServed: {
    value: 32,
    unit: "requests",
    summary: "requests for its files that one member has not answered",
  },
  peerFileMs: { value: 30_000, unit: "ms", summary: "time for a peer to answer such a request" },
  displayNameChars: { value: 64, unit: "characters", summary: "a display name" },
  summaryChars: { value: 500, unit: "characters", summary: "a session's summary" },
  groups: { value: 64, unit: "groups", summary: "groups of one session" },
  capabilities: { value: 32, unit: "entries", summary: "capabilities in a profile" },
  tags: { value: 32, unit: "tags", summary: "tags of one thing" },
  tagChars: { value: 64, unit: "characters", summary: "a tag" },
  stateKeys: {
    value: 10_000,
    unit: "keys",
    env: "MAX_STATE_KEYS",
    summary: "keys of one mesh's shared state",
  },
  stateKeyChars: { value: 256, unit: "characters", summary: "a key of the shared state" },
  stateValueBytes: {
    value: 65_536,
    unit: "bytes",
    env: "MAX_STATE_VALUE_BYTES",
    summary: "a value of the shared state, as JSON",
  },
  contextsPerMember: {
    value: 64,
    unit: "contexts",
    env: "MAX_CONTEXTS_PER_MEMBER",
    summary: "shared contexts of one member; the oldest makes room",
  },
  auditPage: { value: 1_000, unit: "rows", summary: "one page of the audit log" },
  auditOffset: {
    value: 10_000,
    unit: "rows",
    summary: "how far back the audit log is paged and counted; beyond, read it along the chain",
  },
  contextSummaryChars: { value: 8_192, unit: "characters", summary: "a context's summary" },
  contextItems: { value: 256, unit: "entries", summary: "paths or findings of a context" },
  streamsPerMesh: {
    value: 100,
    unit: "streams",
    env: "MAX_STREAMS_PER_MESH",
    summary: "streams of one mesh",
  },
  streamSubscribers: {
    value: 256,
    unit: "connections",
    env: "MAX_STREAM_SUBSCRIBERS",
    summary: "subscribers of one stream",
  },
  streamKeptEvents: {
    value: 1_000,
    unit: "events",
    env: "MAX_STREAM_KEPT_EVENTS",
    summary: "newest events of a stream that are kept",
  },
  streamEventBytes: {
    value: 65_536,
    unit: "bytes",
    env: "MAX_STREAM_EVENT_BYTES",
    summary: "an event of a stream, as JSON",
  },
  streamPublishesPerMinute: {
    value: 600,
    unit: "events/min",
    env: "MAX_STREAM_PUBLISHES_PER_MINUTE",
    summary: "events published per member",
  },
  streamPublishBurst: {
    value: 120,
    unit: "events",
    env: "MAX_STREAM_PUBLISH_BURST",
    summary: "events published per member at once",
  },
  streamBufferBytes: {
    value: 1_048_576,
    unit: "bytes",
    env: "MAX_STREAM_BUFFER_BYTES",
    summary: "unsent bytes of a connection above which its streams wait",
  },
  streamNameChars: { value: 64, unit: "characters", summary: "a stream's name" },
  streamHistoryEvents: { value: 200, unit: "events", summary: "events of one history answer" },
  openTasks: {
    value: 10_000,
    unit: "tasks",
    env: "MAX_OPEN_TASKS",
    summary: "open and claimed tasks of one mesh",
  },
  closedTaskLifeMs: {
    value: 7_776_000_000,
    unit: "ms",
    summary: "life of a completed or cancelled task",
  },
  taskTitleChars: { value: 300, unit: "characters", summary: "a task's title" },
  taskDescriptionChars: { value: 16_384, unit: "characters", summary: "a task's description" },
  taskResultChars: { value: 65_536, unit: "characters", summary: "a task's result" },
  taskDependencies: { value: 32, unit: "tasks", summary: "dependencies of one task" },
  taskListRows: { value: 100, unit: "tasks", summary: "tasks of one list answer" },
  taskLeaseMs: { value: 3_600_000, unit: "ms", summary: "lease of a claimed task unless told" },
  taskLeaseLeastMs: { value: 60_000, unit: "ms", summary: "shortest lease of a claimed task" },
  taskLeaseMostMs: { value: 86_400_000, unit: "ms", summary: "longest lease of a claimed task" },
  schedules: {
    value: 256,
    unit: "schedules",
    env: "MAX_SCHEDULES",
    summary: "schedules of one member that are not over",
  },
  scheduleTextChars: { value: 16_384, unit: "characters", summary: "a reminder's text" },
  cronChars: { value: 256, unit: "characters", summary: "a cron expression" },
  timeZoneChars: { value: 64, unit: "characters", summary: "a time zone's name" },
  scheduleAheadMs: {
    value: 315_576_000_000,
    unit: "ms",
    summary: "how far ahead a reminder may lie",
  },
  scheduleGraceMs: { value: 60_000, unit: "ms", summary: "lateness of a run that is not missed" },
  scheduleRunAll: {
    value: 100,
    unit: "runs",
    summary: "missed runs that `run_all` makes up for",
  },
  scheduleKeptMs: { value: 2_592_000_000, unit: "ms", summary: "life of a schedule that is over" },
  sqlChars: { value: 65_536, unit: "characters", summary: "one SQL statement" },
  sqlStatementsPerMinute: {
    value: 240,
    unit: "statements/min",
    env: "MAX_SQL_STATEMENTS_PER_MINUTE",
    summary: "SQL statements per member, half as many at once",
  },
  sqlTimeoutMs: {
    value: 10_000,
    unit: "ms",
    env: "MAX_SQL_TIMEOUT_MS",
    summary: "time of one SQL statement",
  },
  sqlRows: { value: 1_000, unit: "rows", summary: "rows of one SQL answer" },
  sqlOffset: { value: 100_000, unit: "rows", summary: "rows that a SQL answer leaves out" },
  sqlResultBytes: { value: 1_048_576, unit: "bytes", summary: "rows of one SQL answer as JSON" },
  sqlDiskBytes: {
    value: 268_435_456,
    unit: "bytes",
    env: "MAX_SQL_DISK_BYTES",
    summary: "tables and indexes of a mesh's own database",
  },
  sqlTables: { value: 200, unit: "tables", summary: "tables of one schema answer" },
  clockSpeed: { value: 100, unit: "times", summary: "speed of a mesh's simulated time" },
  memoryBytes: { value: 16_384, unit: "bytes", summary: "the text of one memory" },
  memoriesPerMesh: {
    value: 250_000,
    unit: "memories",
    env: "MAX_MEMORIES_PER_MESH",
    summary: "memories of one mesh",
  },
  memoryLifeMs: {
    value: 315_576_000_000,
    unit: "ms",
    summary: "longest life of a memory that ends",
  },
  forgottenMemoryMs: {
    value: 2_592_000_000,
    unit: "ms",
    summary: "time until what was forgotten is erased",
  },
  memoryQueryChars: { value: 1_000, unit: "characters", summary: "a query of `recall`" },
  memoryQueryTerms: { value: 32, unit: "terms", summary: "words, phrases and tags of one query" },
  memoryRows: { value: 50, unit: "memories", summary: "memories of one answer" },
  memoriesRanked: {
    value: 2_000,
    unit: "memories",
    summary: "memories that are ranked for one query, the newest that match",
  },
  memoriesExamined: {
    value: 10_000,
    unit: "memories",
    summary: "memories that are examined for a phrase or an exclusion, the newest with its words",
  },
  skillNameChars: { value: 64, unit: "characters", summary: "a skill's name" },
  skillDescriptionChars: { value: 1_024, unit: "characters", summary: "a skill's description" },
  skillBytes: { value: 131_072, unit: "bytes", summary: "a skill's instructions" },
  skillHintChars: { value: 512, unit: "characters", summary: "a short text of a skill's manifest" },
  skillTools: { value: 64, unit: "tools", summary: "tools that a skill names" },
  skillsPerMesh: {
    value: 500,
    unit: "skills",
    env: "MAX_SKILLS_PER_MESH",
    summary: "skills of one mesh",
  },
  skillVersions: { value: 20, unit: "versions", summary: "versions kept of one skill" },
  helloWindowMs: { value: 60_000, unit: "ms", summary: "how far a signed time may be off" },
  helloDeadlineMs: { value: 10_000, unit: "ms", summary: "time for the hello" },
  attestationMs: { value: 86_400_000, unit: "ms", summary: "life of a session attestation" },
  ackDeadlineMs: { value: 30_000, unit: "ms", summary: "a push without ack is pushed again" },
  holdMs: { value: 600_000, unit: "ms", summary: "longest hold of a `next` message" },
  messageLifeMs: { value: 604_800_000, unit: "ms", summary: "life of an undelivered message" },
  receiptLifeMs: { value: 86_400_000, unit: "ms", summary: "life of the receipts of a delivery" },
  leaseMs: { value: 90_000, unit: "ms", summary: "time to come back without a leave event" },
  pingIntervalMs: { value: 30_000, unit: "ms", summary: "heartbeat" },
  deadAfterMs: { value: 75_000, unit: "ms", summary: "silence after which a connection is cut" },
  rotationMs: { value: 2_592_000_000, unit: "ms", summary: "age at which the mesh key is rotated" },
} as const satisfies Record<string, LimitSpec>;

export type LimitName = keyof typeof LIMITS;

/** The limits in force at a broker: the table's values with the operator's changes. */
export type Limits = { readonly [K in LimitName]: number };

/** Returns the table's own values. */
export function defaultLimits(): Limits {
  return Object.fromEntries(
    Object.entries(LIMITS).map(([name, spec]) => [name, spec.value]),
  ) as Limits;
}

/**
 * Every operation and event, in one list each: what dispatch, clients, tools, verbs and the reference pages read.
 */
import type { EventSpec } from "./event.ts";
import { audit, auditEvents } from "./audit.ts";
import { contexts, contextsEvents } from "./contexts.ts";
import { files, filesEvents } from "./files.ts";
import { peerFileEvents, peerFiles } from "./peer_files.ts";
import { graph, graphEvents } from "./graph.ts";
import { memory, memoryEvents } from "./memory.ts";
import { schedules, schedulesEvents } from "./schedules.ts";
import { sharedSql, sharedSqlEvents } from "./shared_sql.ts";
import { simulationClock, simulationClockEvents } from "./simulation_clock.ts";
import { skills, skillsEvents } from "./skills.ts";
import { state, stateEvents } from "./state.ts";
import { streams, streamsEvents } from "./streams.ts";
import { tasks, tasksEvents } from "./tasks.ts";
import { vectors, vectorsEvents } from "./vectors.ts";
import { groups } from "./groups.ts";
import { invites } from "./invites.ts";
import { memberEvents, members } from "./members.ts";
import { mesh } from "./mesh.ts";
import { meshKeyEvents, meshKeys } from "./mesh_keys.ts";
import { answerBatch, messaging, push, pushBatch } from "./messaging.ts";
import type { Op } from "./op.ts";
import { presence, presenceEvents } from "./presence.ts";

/** Feature name -> its operations; a feature of the same name in `broker/features` holds the handlers. */
export const features = {
  messaging,
  presence,
  groups,
  members,
  invites,
  meshKeys,
  mesh,
  state,
  memory,
  files,
  peerFiles,
  vectors,
  graph,
  sharedSql,
  streams,
  contexts,
  tasks,
  schedules,
  simulationClock,
  skills,
  audit,
} as const;

export const ops: readonly Op[] = Object.values(features).flatMap((feature) =>
  Object.values(feature) as Op[]
);

export const events: readonly EventSpec[] = [
  push,
  pushBatch,
  answerBatch,
  ...Object.values(presenceEvents),
  ...Object.values(memberEvents),
  ...Object.values(meshKeyEvents),
  ...Object.values(stateEvents),
  ...Object.values(memoryEvents),
  ...Object.values(filesEvents),
  ...Object.values(peerFileEvents),
  ...Object.values(vectorsEvents),
  ...Object.values(graphEvents),
  ...Object.values(sharedSqlEvents),
  ...Object.values(streamsEvents),
  ...Object.values(contextsEvents),
  ...Object.values(tasksEvents),
  ...Object.values(schedulesEvents),
  ...Object.values(simulationClockEvents),
  ...Object.values(skillsEvents),
  ...Object.values(auditEvents),
] as unknown as readonly EventSpec[];

/** Request frame type -> operation. */
export const opByWire: ReadonlyMap<string, Op> = new Map(ops.map((each) => [each.wire, each]));

/**
 * The handlers of all features, in the catalog's own order: one that is missing or mistyped does not compile.
 */
import type { HandlerTable } from "../core/dispatch.ts";
import { audit } from "./audit.ts";
import { contexts } from "./contexts.ts";
import { files } from "./files.ts";
import { peerFiles } from "./peer_files.ts";
import { graph } from "./graph.ts";
import { memory } from "./memory.ts";
import { schedules } from "./schedules.ts";
import { sharedSql } from "./shared_sql.ts";
import { simulationClock } from "./simulation_clock.ts";
import { skills } from "./skills.ts";
import { state } from "./state.ts";
import { streams } from "./streams.ts";
import { tasks } from "./tasks.ts";
import { vectors } from "./vectors.ts";
import { groups } from "./groups.ts";
import { invites } from "./invites.ts";
import { members } from "./members.ts";
import { mesh } from "./mesh.ts";
import { meshKeys } from "./mesh_keys.ts";
import { messaging } from "./messaging.ts";
import { presence } from "./presence.ts";

export const handlers: HandlerTable = {
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
};

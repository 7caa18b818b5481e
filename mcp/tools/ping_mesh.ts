/**
 * `ping_mesh`: sends test messages through the real path and times them, to find out why pushes do not arrive.
 */
import * as z from "zod";
import { priority } from "../../broker/api/fields.ts";
import type { PingResult } from "../../agent/core/local_types.ts";
import { meshParameter } from "./mesh_parameter.ts";
import { type Tool, tool } from "./tool.ts";

/** How it stands with channel events, as far as this server knows. */
export interface ChannelState {
  readonly messageMode: string;
  readonly isReady: boolean;
  readonly clientName: string | null;
}

function roundLine(round: PingResult["rounds"][number]): string {
  const ack = round.ackMs === null
    ? "no acknowledgement"
    : `acknowledged in ${round.ackMs} ms (on disk: ${round.commitMs} ms)`;
  const arrival = round.arrivalMs === null
    ? ""
    : `, back in ${round.arrivalMs} ms (pushed: ${round.pushMs} ms)`;
  const warning = round.warning === null ? "" : ` ⚠ ${round.warning}`;
  return `  ${round.priority}: ${ack}${arrival}${warning}`;
}

function sectionOf(result: PingResult): string {
  if (!result.connected) return `${result.mesh}: not connected (${result.reason ?? "connecting"})`;
  const status = result.status ?? "unknown";
  const head = `${result.mesh}: connected, ${result.peers ?? "?"} peers, your status ${status}, ` +
    `${result.unseen} unseen, to the broker and back in ${result.linkMs} ms`;
  return [head, ...result.rounds.map(roundLine)].join("\n");
}

function channelLine(state: ChannelState): string {
  const ready = state.isReady
    ? "events are sent (the host does not say whether it shows them)"
    : "the client has not finished its handshake yet";
  return `Notifications: mode ${state.messageMode}; ${ready}.`;
}

/** Makes the tool; `channelState` tells how the notification path stands when it is called. */
export function pingMesh(channelState: () => ChannelState): Tool {
  return tool({
    name: "ping_mesh",
    description:
      "Send test messages to yourself through the real path and time them, to find out why pushes do not arrive.",
    readOnly: true,
    input: z.object({
      priorities: z.array(priority).min(1).max(3).optional().describe(
        "Which to try; now and next unless given.",
      ),
      mesh: meshParameter,
    }),
    async call(context, { priorities, mesh }) {
      const { results } = await context.call("ping", {
        sessionId: context.sessionId,
        ...(priorities === undefined ? {} : { priorities: [...new Set(priorities)] }),
        ...(mesh === undefined ? {} : { mesh }),
      });
      const channel = channelState();
      return {
        text: [...results.map(sectionOf), channelLine(channel)].join("\n"),
        data: { results, channel },
      };
    },
  });
}

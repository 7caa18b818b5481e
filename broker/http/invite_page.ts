/**
 * `GET /i/:code`: what an invite link shows in a browser before anybody joins: which mesh, who invites, what the joiner
 * will be, who keeps the key. Looking at it uses nothing up.
 */
import type { MeshError } from "../api/errors.ts";
import { type InviteView, viewInvite } from "../core/admission/invite_view.ts";
import { statusOf } from "./answer.ts";
import { Html, layout, markup } from "./page_layout.ts";
import { type HttpCall, route } from "./route.ts";
import { CLAIM_STATUSES, INVITE_PAGE_RATE } from "./route_rates.ts";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

const ROLES = {
  admin: ["Admin", "You can invite others, remove members and rotate the mesh key."],
  member: ["Member", "You can send and receive messages."],
} as const;

const CUSTODY = {
  members: [
    "The members alone",
    "This server cannot read messages to groups or to everyone. After you join, a member's program that is online " +
    "checks the secret in your link and hands you the mesh key.",
  ],
  broker: [
    "The members and this server",
    "The mesh was made so that invites complete while nobody is online. Whoever runs this server could read messages " +
    "to groups and to everyone; direct messages stay readable to sender and recipient only.",
  ],
} as const;

/** A page for an error on a page's route. */
export function errorPage(error: MeshError): Response {
  const [title, advice] = TITLES[error.code] ?? ["Something went wrong", error.message];
  const reference = error.data.reference === undefined
    ? new Html("")
    : markup`<p class="lead">Reference: <code>${error.data.reference}</code></p>`;
  return layout(
    title,
    markup`<h1>${title}</h1>
<p class="lead">${advice}</p>${reference}`,
    statusOf(error, CLAIM_STATUSES),
  );
}

const ASK = "Ask the person who sent it to you for a new one.";
const TITLES: Partial<Record<MeshError["code"], readonly [string, string]>> = {
  not_found: ["No such invite", `The link may have been cut off, or its mesh is gone. ${ASK}`],
  expired: ["This invite has expired", ASK],
  revoked: ["This invite was withdrawn", ASK],
  exhausted: ["This invite has been used up", `It let in as many as it was made for. ${ASK}`],
  rate_limited: ["Too many requests", "Wait a minute and load the page again."],
  unavailable: ["Not available just now", "The server cannot reach its store. Try again soon."],
};

function describe(view: InviteView, nowMs: number): Html {
  const [role, roleMeaning] = ROLES[view.role];
  const [custody, custodyMeaning] = CUSTODY[view.custody];
  const left = view.maxUses - view.usedCount;
  const uses = view.maxUses === 1 ? "One person can join with it" : `${left} of ${view.maxUses}`;
  const expires = new Date(view.expiresAtMs);
  const time = markup`<time datetime="${expires.toISOString()}">${dateText(expires)}</time>`;
  return markup`<dl>
<dt>Mesh</dt><dd>${view.meshName}<small>${view.slug}</small></dd>
<dt>Invited by</dt><dd>${view.inviterName}</dd>
<dt>You join as</dt><dd>${role}<small>${roleMeaning}</small></dd>
<dt>Expires</dt><dd>${inWords(view.expiresAtMs - nowMs)}<small>${time}</small></dd>
<dt>Uses left</dt><dd>${uses}</dd>
<dt>Who holds the key</dt><dd>${custody}<small>${custodyMeaning}</small></dd>
</dl>`;
}

const UNVERIFIED = {
  members:
    "Without it you can still join, but you read no group messages until a member confirms you by hand.",
  broker: "Without it you can still join, but the others see that nobody has verified you.",
} as const;

function joinSteps(url: string, custody: InviteView["custody"]): Html {
  return markup`<h2>Join</h2>
<p>On the machine where you want to join, run this with the whole link from your address bar:</p>
<pre tabindex="0"><code>claudemesh join '${url}<mark>#…</mark>'</code></pre>
<div class="note">
<p>Replace <mark>#…</mark> with what stands after <code>#</code> in the link you were sent. That part is the invite's
secret. It stays in your browser and never reaches this server, so this page cannot fill it in.</p>
</div>
<p class="lead">${
    UNVERIFIED[custody]
  } Join only if you expected this invite from the person named above.</p>`;
}

async function show(call: HttpCall<unknown>): Promise<Response> {
  const { broker } = call;
  const view = await viewInvite(broker, call.param("code"));
  const title = `Join ${view.meshName}`;
  return layout(
    title,
    markup`<h1>${title}</h1>
<p class="lead">${view.inviterName} invites you to a mesh: a group of coding sessions that send each other
end-to-end encrypted messages.</p>
${describe(view, broker.clock.now())}
${joinSteps(`${broker.publicUrl()}/i/${view.code}`, view.custody)}`,
  );
}

/** "in 6 days", "in 3 hours", "in 5 minutes". */
function inWords(remainingMs: number): string {
  const [unit, count] = remainingMs >= 2 * DAY_MS
    ? ["day", Math.floor(remainingMs / DAY_MS)] as const
    : remainingMs >= 2 * HOUR_MS
    ? ["hour", Math.floor(remainingMs / HOUR_MS)] as const
    : ["minute", Math.max(1, Math.floor(remainingMs / MINUTE_MS))] as const;
  return `In ${count} ${unit}${count === 1 ? "" : "s"}`;
}

/** "28 November 2026, 09:30 UTC" */
function dateText(date: Date): string {
  const day = date.toLocaleDateString("en-GB", {
    day: "numeric",
    month: "long",
    year: "numeric",
    timeZone: "UTC",
  });
  return `${day}, ${date.toISOString().slice(11, 16)} UTC`;
}

export const invitePage = route({
  method: "GET",
  path: "/i/:code",
  summary: "Show an invite to a person before they join.",
  authentication: "invite",
  rate: INVITE_PAGE_RATE,
  body: null,
  answers: "page",
  statuses: CLAIM_STATUSES,
  handle: show,
});

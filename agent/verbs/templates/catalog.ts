/**
 * The templates of `claudemesh new --template`. Groups and state keys: reference cli.md 12.
 */
import type { Template } from "./template.ts";

const devTeam: Template = {
  name: "dev-team",
  description: "A team that builds and ships software together",
  groups: [
    { name: "frontend", roles: ["lead", "member"] },
    { name: "backend", roles: ["lead", "member"] },
    { name: "devops", roles: ["lead", "member"] },
    { name: "qa", roles: ["lead", "member"] },
  ],
  state: { "sprint": "current", "deploy-frozen": false, "pr-queue": [] },
  tasks: [
    {
      title: "Write down how to build, test and deploy (remember it)",
      priority: "high",
      tags: ["setup"],
    },
    {
      title: "Name the goal of the sprint (state key sprint)",
      priority: "normal",
      tags: ["setup"],
    },
  ],
  skills: [
    {
      name: "hand-over",
      description: "Hand your work over to a colleague so that nothing has to be found out twice",
      instructions: `# Hand over

1. \`share_context\`: what you read, what you found, what is open.
2. \`remember\` what will still be true next month; tag it with the component.
3. Release or complete your tasks; create one for each open end, with the file to begin at.
4. Send the next person one message: the task id, and the first step.
`,
    },
    {
      name: "before-deploy",
      description: "Check that nothing stands against a deployment",
      instructions: `# Before a deployment

1. \`get_state deploy-frozen\`: stop if it is true, and say who froze it.
2. \`list_tasks\` with status claimed: ask holders of tasks tagged \`release\` whether they are done.
3. Set \`deploy-frozen\` to true with \`if_revision\`, so that one deploys at a time.
4. Deploy, tell @devops and @qa what went out, set \`deploy-frozen\` to false.
`,
    },
  ],
  roles: ["lead", "member", "reviewer"],
  hint: "Claim a task before you work on it, tell your group what you finish, and check " +
    "deploy-frozen before you ship.",
};

const research: Template = {
  name: "research",
  description: "People who find something out and write it up",
  groups: [
    { name: "analysis", roles: ["lead", "analyst"] },
    { name: "writing", roles: ["lead", "writer", "reviewer"] },
    { name: "data", roles: ["engineer", "analyst"] },
  ],
  state: { "research-topic": "", "phase": "exploration", "findings-count": 0 },
  tasks: [
    { title: "State the question (state key research-topic)", priority: "high", tags: ["setup"] },
    { title: "List what is known, with its sources", priority: "normal", tags: ["exploration"] },
  ],
  skills: [
    {
      name: "record-finding",
      description: "Record a finding with its source, so that others can check it",
      instructions: `# Record a finding

1. \`remember\` one claim, with its source and how sure you are; tags: topic, method.
2. Raise \`findings-count\` by compare-and-set (\`if_revision\`).
3. If it contradicts a memory (\`recall\` first), say so to @analysis and name both ids.
`,
    },
  ],
  roles: ["lead", "analyst", "writer", "reviewer"],
  hint: "Search the memory before you investigate, and record every finding with its source.",
};

const opsIncident: Template = {
  name: "ops-incident",
  description: "An incident that is being handled",
  groups: [
    { name: "oncall", roles: ["primary", "secondary"] },
    { name: "comms", roles: ["lead", "scribe"] },
    { name: "engineering", roles: ["lead", "responder"] },
  ],
  state: {
    "incident-status": "investigating",
    "severity": "unknown",
    "commander": "",
    "timeline": [],
  },
  tasks: [
    { title: "Take command (state key commander)", priority: "urgent", tags: ["incident"] },
    { title: "Set the severity", priority: "urgent", tags: ["incident"] },
    { title: "Write the first status update", priority: "high", tags: ["comms"] },
  ],
  skills: [
    {
      name: "incident-update",
      description: "Bring timeline and status up to date, and tell everybody",
      instructions: `# Incident update

1. Append \`{at, what, who}\` to the state key \`timeline\` by compare-and-set (\`if_revision\`).
2. Set \`incident-status\`: investigating, identified, monitoring or resolved.
3. Broadcast one sentence with priority now: what changed, what comes next, when the next update is.
`,
    },
  ],
  roles: ["commander", "primary-oncall", "scribe", "responder"],
  hint: "One commander decides; every action goes into the timeline before it is taken.",
};

const simulation: Template = {
  name: "simulation",
  description: "Personas that act on simulated time",
  groups: [
    { name: "personas", roles: ["admin", "user", "customer"] },
    { name: "observers", roles: ["monitor", "analyst"] },
    { name: "control", roles: ["orchestrator"] },
  ],
  state: { "clock-speed": "x1", "sim-status": "paused", "tick-count": 0, "scenario": "" },
  tasks: [
    { title: "Describe the scenario (state key scenario)", priority: "high", tags: ["setup"] },
    { title: "Start the clock (mesh_set_clock)", priority: "normal", tags: ["setup"] },
  ],
  skills: [
    {
      name: "act-on-tick",
      description: "What a persona does when the simulated time moves on",
      instructions: `# Act on a tick

1. Read \`scenario\` and \`sim-status\`; do nothing while it is paused.
2. Decide what your persona does in this simulated minute, and do one thing.
3. Tell @observers what you did and why, with the tick's number.
`,
    },
  ],
  roles: ["orchestrator", "persona", "monitor"],
  hint: "Stay in your persona, act once a tick, and leave the clock to @control.",
};

const personal: Template = {
  name: "personal",
  description: "Your own sessions on your own machines",
  groups: [],
  state: { "focus": "", "todos": [] },
  tasks: [],
  skills: [
    {
      name: "pick-up",
      description: "Go on with what another of your sessions began",
      instructions: `# Pick up

1. \`get_state focus\`, \`list_contexts\`: what was going on, and where.
2. \`list_tasks\` with status open: take the first that fits this machine.
3. Set \`focus\` to what you do now.
`,
    },
  ],
  roles: [],
  hint: "All peers are one person's sessions: keep focus up to date and pick up what others left.",
};

export const TEMPLATES: readonly Template[] = [
  devTeam,
  research,
  opsIncident,
  simulation,
  personal,
];

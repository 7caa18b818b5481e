/**
 * A skill as MCP shows it: what stands in lists, the message of its prompt, the Markdown of its resource. All of it is
 * written by peers, so it is cleaned here whatever the broker did. Format: reference protocol 9.7.
 */
import type { PromptArgument } from "@modelcontextprotocol/sdk/types";
import { writeSkillDocument } from "../broker/api/skill_document.ts";
import { LIMITS } from "../broker/api/limits.ts";
import type { ListedSkill, Skill, SkillManifest } from "../broker/api/skills.ts";
import { printableText } from "../agent/core/peer_text.ts";

const MAX_ARGUMENTS = 8;
const PLACEHOLDER = /\$ARGUMENTS\b/g;

/** Text of a peer on one line, without what cannot be seen. */
function line(text: string): string {
  return printableText(text).replace(/\s+/g, " ").trim()
    .slice(0, LIMITS.skillDescriptionChars.value);
}

/** What a list says of a skill: what it does, and where it is from. */
export function skillSummary(skill: ListedSkill, mesh: string): string {
  return `${line(skill.description)} (by ${line(skill.author)}, ${mesh})`;
}

/** The arguments of a skill's prompt: the words of its hint, `[issue] [priority]`, none of them required. */
export function skillArguments(hint: string | undefined): PromptArgument[] {
  const names = line(hint ?? "").match(/[\p{L}\p{N}][\p{L}\p{N}_-]*/gu) ?? [];
  return [...new Set(names)].slice(0, MAX_ARGUMENTS)
    .map((name) => ({ name, description: line(hint ?? ""), required: false }));
}

function manifestFields(manifest: SkillManifest) {
  return {
    "when_to_use": optionalLine(manifest.when_to_use),
    "allowed-tools": manifest.allowed_tools?.map(line),
    "model": optionalLine(manifest.model),
    "context": manifest.context,
    "agent": optionalLine(manifest.agent),
    "user-invocable": manifest.user_invocable,
    "argument-hint": optionalLine(manifest.argument_hint),
  };
}

function optionalLine(text: string | undefined): string | undefined {
  return text === undefined ? undefined : line(text);
}

function origin(skill: Skill, mesh: string) {
  return { author: line(skill.author), mesh, version: skill.version };
}

/** The Markdown file of a skill. */
export function skillMarkdown(skill: Skill, mesh: string): string {
  const fields = {
    name: skill.name,
    description: line(skill.description),
    tags: skill.tags.map(line),
    ...manifestFields(skill.manifest),
    ...origin(skill, mesh),
  };
  return writeSkillDocument(fields, printableText(skill.instructions));
}

/**
 * The message of a skill's prompt.
 * @param given what the user wrote behind the command, in order; it takes the place of `$ARGUMENTS`, or stands at the
 *   end where there is none.
 */
export function skillMessage(skill: Skill, mesh: string, given: readonly string[]): string {
  const fields = {
    description: line(skill.description),
    ...manifestFields(skill.manifest),
    ...origin(skill, mesh),
  };
  const instructions = withArguments(printableText(skill.instructions), given.join(" ").trim());
  const parts = skill.manifest.context === "fork"
    ? [forkParagraph(skill.manifest), instructions]
    : [instructions];
  return writeSkillDocument(fields, parts.join("\n\n"));
}

function withArguments(instructions: string, given: string): string {
  if (instructions.search(PLACEHOLDER) >= 0) return instructions.replace(PLACEHOLDER, () => given);
  return given === "" ? instructions : `${instructions}\n\nArguments: ${given}`;
}

/** Hosts fork skills of their own, not prompts: the model has to be told. */
function forkParagraph({ agent, model, allowed_tools: tools }: SkillManifest): string {
  const details = [
    ...(agent === undefined ? [] : [`of the type ${JSON.stringify(line(agent))}`]),
    ...(model === undefined ? [] : [`with the model ${JSON.stringify(line(model))}`]),
    ...(tools === undefined ? [] : [`that needs the tools ${JSON.stringify(tools.map(line))}`]),
  ];
  const which = details.length === 0 ? "" : ` ${details.join(", ")}`;
  return `Do not follow the instructions below yourself: start a sub-agent${which} (the Agent tool), give it ` +
    "all of them, and tell what it answers.";
}

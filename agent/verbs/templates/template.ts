/**
 * What a new mesh can begin with: groups, state, tasks and skills that make sense together.
 */
import type { Group } from "../../../broker/api/fields.ts";

export interface TemplateGroup {
  readonly name: string;
  /** The first is the one that the mesh's creator takes. */
  readonly roles: readonly string[];
}

export interface TemplateTask {
  readonly title: string;
  readonly priority: "low" | "normal" | "high" | "urgent";
  readonly tags: readonly string[];
}

export interface TemplateSkill {
  readonly name: string;
  readonly description: string;
  /** Markdown. */
  readonly instructions: string;
}

export interface Template {
  readonly name: string;
  readonly description: string;
  readonly groups: readonly TemplateGroup[];
  /** Key -> first value. */
  readonly state: Readonly<Record<string, unknown>>;
  readonly tasks: readonly TemplateTask[];
  readonly skills: readonly TemplateSkill[];
  /** Roles that members may take. */
  readonly roles: readonly string[];
  /** One sentence that tells a session how the mesh works. */
  readonly hint: string;
}

/** The groups of the mesh's creator: all of them, so that mail to each reaches somebody from the first day. */
export function creatorGroups({ groups }: Template): Group[] {
  return groups.map(({ name, roles: [role] }) => role === undefined ? { name } : { name, role });
}

/**
 * Prompts and resources by the names that the MCP conformance suite asks for, served through the same sources as skills.
 */
import type { PromptSource } from "../../mcp/prompts.ts";
import type { ResourceSource } from "../../mcp/resources.ts";

/** A transparent PNG of one pixel. */
const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
const TEMPLATE = /^test:\/\/template\/([^/]+)\/data$/;

function said(text: string) {
  return { role: "user" as const, content: { type: "text" as const, text } };
}

export const conformancePrompts: PromptSource = {
  list: () =>
    Promise.resolve([
      { name: "test_simple_prompt", description: "A prompt without arguments" },
      {
        name: "test_prompt_with_arguments",
        description: "A prompt with two arguments",
        arguments: [{ name: "arg1", required: true }, { name: "arg2", required: true }],
      },
    ]),
  get(name, args) {
    if (name === "test_simple_prompt") {
      return Promise.resolve({ messages: [said("This is a simple prompt for testing.")] });
    }
    if (name === "test_prompt_with_arguments") {
      const text = `Prompt with arguments: arg1='${args.arg1}', arg2='${args.arg2}'`;
      return Promise.resolve({ messages: [said(text)] });
    }
    if (name === "test_prompt_with_embedded_resource") {
      const resource = { uri: args.resourceUri ?? "", mimeType: "text/plain", text: "Embedded." };
      const content = { type: "resource" as const, resource };
      return Promise.resolve({ messages: [{ role: "user" as const, content }] });
    }
    if (name === "test_prompt_with_image") {
      const content = { type: "image" as const, data: PNG, mimeType: "image/png" };
      return Promise.resolve({ messages: [{ role: "user" as const, content }] });
    }
    return Promise.resolve(null);
  },
};

export const conformanceResources: ResourceSource = {
  list: () =>
    Promise.resolve([
      { uri: "test://static-text", name: "text", mimeType: "text/plain" },
      { uri: "test://static-binary", name: "binary", mimeType: "image/png" },
    ]),
  read(uri) {
    if (uri === "test://static-text") {
      const text = "This is the content of the static text resource.";
      return Promise.resolve({ contents: [{ uri, mimeType: "text/plain", text }] });
    }
    if (uri === "test://static-binary") {
      return Promise.resolve({ contents: [{ uri, mimeType: "image/png", blob: PNG }] });
    }
    const [, id] = TEMPLATE.exec(uri) ?? [];
    if (id === undefined) return Promise.resolve(null);
    const text = JSON.stringify({ id, templateTest: true });
    return Promise.resolve({ contents: [{ uri, mimeType: "application/json", text }] });
  },
};

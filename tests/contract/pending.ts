/**
 * The tools of the acceptance list that are still to come, by family. This list only ever shrinks: a tool named here
 * that is served fails the contract test.
 */

/** Family -> names of tools that are not served yet. */
export const PENDING: Readonly<Record<string, readonly string[]>> = {
  "skills": ["mesh_skill_deploy"],
  "mcp-registry-peer": ["mesh_mcp_register", "mesh_mcp_list", "mesh_tool_call", "mesh_mcp_remove"],
  "mcp-registry-broker": [
    "mesh_mcp_deploy",
    "mesh_mcp_undeploy",
    "mesh_mcp_update",
    "mesh_mcp_logs",
    "mesh_mcp_scope",
    "mesh_mcp_schema",
    "mesh_mcp_catalog",
  ],
  "vault": ["vault_set", "vault_list", "vault_delete"],
  "url-watch": ["mesh_watch", "mesh_unwatch", "mesh_watches"],
  "webhooks": ["create_webhook", "list_webhooks", "delete_webhook"],
};

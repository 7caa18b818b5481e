/** How a mesh's own schema and role are called, on every driver alike. */

/**
 * The schema of the members' tables. Mesh ids differ by case too, so the name keeps it and must be quoted.
 * @param meshId letters and digits, as ids are.
 * @throws {TypeError} for anything else: the name goes into SQL text.
 */
export function meshSchema(meshId: string): string {
  if (!/^[0-9A-Za-z]{1,48}$/.test(meshId)) throw new TypeError("a mesh id is letters and digits");
  return `meshdb_${meshId}`;
}

/** The schema of the program's own tables of a mesh, on a server. @throws {TypeError} as `meshSchema`. */
export function programSchema(meshId: string): string {
  return meshSchema(meshId).replace("meshdb_", "meshprog_");
}

/**
 * Lays out the root file system of the container image: the compiled program, the libraries it links, what name
 * resolution and TLS read, and an empty data folder. Usage: `image_root.ts <program> <folder>`; makes
 * `<folder>/root` and `<folder>/data`.
 */
import { basename, dirname } from "node:path";

/** Loaded by the C library by name when it resolves a host, so `ldd` does not show them. */
const RESOLVER_LIBRARIES = ["libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2"];

const CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";

const FILES: Readonly<Record<string, string>> = {
  "etc/passwd": "claudemesh:x:65532:65532::/data:/nonexistent\n",
  "etc/group": "claudemesh:x:65532:\n",
  "etc/nsswitch.conf": "hosts: files dns\n",
};

/** Absolute paths of the libraries in the output of `ldd`, the loader included. Throws when one was not found. */
export function linkedLibraries(ldd: string): string[] {
  const missing = /^\s*(\S+) => not found/m.exec(ldd)?.[1];
  if (missing !== undefined) throw new Error(`Library "${missing}" is not on this machine`);
  return [...ldd.matchAll(/^\s*(?:\S+ => )?(\/\S+) \(0x/gm)].map((match) => match[1] ?? "");
}

async function librariesOf(program: string): Promise<string[]> {
  const { success, stdout, stderr } = await new Deno.Command("ldd", { args: [program] }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return linkedLibraries(new TextDecoder().decode(stdout));
}

async function copyInto(root: string, source: string, path = source): Promise<void> {
  await Deno.mkdir(dirname(root + path), { recursive: true });
  await Deno.copyFile(source, root + path);
}

async function layOut(program: string, folder: string): Promise<void> {
  const root = `${folder}/root`;
  await Deno.mkdir(root, { recursive: true });
  await Deno.mkdir(`${folder}/data`, { recursive: true });
  const libraries = await librariesOf(program);
  for (const library of libraries) await copyInto(root, library);
  const beside = dirname(libraries.find((path) => basename(path) === "libc.so.6") ?? "");
  for (const name of RESOLVER_LIBRARIES) await copyInto(root, `${beside}/${name}`);
  await copyInto(root, CERTIFICATES);
  for (const [path, text] of Object.entries(FILES)) {
    await Deno.mkdir(dirname(`${root}/${path}`), { recursive: true });
    await Deno.writeTextFile(`${root}/${path}`, text);
  }
  await Deno.mkdir(`${root}/tmp`, { recursive: true, mode: 0o777 });
  await Deno.chmod(`${root}/tmp`, 0o1777);
  await copyInto(root, program, "/claudemesh");
  await Deno.chmod(`${root}/claudemesh`, 0o755);
}

if (import.meta.main) {
  const [program, folder] = Deno.args;
  if (program === undefined || folder === undefined) {
    console.error("usage: image_root.ts <program> <folder>");
    Deno.exit(3);
  }
  await layOut(program, folder);
  console.log(`${folder}: laid out`);
}

/**
 * The path that a peer asks for, before anything touches the disk: relative, without `..`, and without a name that is
 * never served whatever lies behind it (CONTRACTS 8): hidden files, keys, `.env`, `.git`, `node_modules`.
 */
import { MeshError } from "../../../broker/api/errors.ts";
import { isDeviceName } from "./safe_file_name.ts";

/** The longest path that is looked at. */
export const MAX_PATH_CHARS = 4_096;

const MAX_SEGMENT_BYTES = 255;
// deno-lint-ignore no-control-regex -- control characters are what it keeps out
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\p{Bidi_Control}]/u;
/** Characters that some file systems leave out when they compare names. */
const IGNORED = /\p{Default_Ignorable_Code_Point}/gu;

const SECRET_EXTENSION =
  /\.(pem|key|p8|p12|pfx|jks|keystore|kdbx?|ppk|gpg|pgp|asc|age|agekey|ovpn|env|tfstate|tfvars|token|cmb|git|keychain(-db)?)(\.(bak|old|orig|backup|save|\d+))?$/;
const SECRET_NAME =
  /^(id_(rsa|dsa|ecdsa|ed25519|xmss).*|authorized_keys.*|(htpasswd|netrc|npmrc|pypirc|pgpass|kubeconfig|wallet\.dat|g?shadow)(-|\.(bak|old))?|node_modules)$/;
const DATA = "(\\.(json|ya?ml|toml|ini|txt|csv|xml|conf|cfg|properties|bak|old|db))?";
const SECRET_DATA = new RegExp(
  `^(.*[-_. ])?(credentials?|secrets?|passwords?|passwd|client_secret.*|service[-_]?account.*)${DATA}$`,
);
const ENVIRONMENT =
  /(^env|\.env\..*|^env\.(local|dev|development|prod|production|stage|staging|test))$/;
const ADMIN_SDK = /firebase-adminsdk.*\.json$/;

const encoder = new TextEncoder();

/**
 * Returns the segments of `path`; none for the folder itself ("", ".", "/" at the end does not count).
 * @throws {MeshError} `invalid_argument` for what is no relative path, `forbidden` for `..` and names that are never served.
 */
export function sharedPathSegments(path: string): string[] {
  if (path.length > MAX_PATH_CHARS) {
    throw new MeshError("invalid_argument", `a path has at most ${MAX_PATH_CHARS} characters`);
  }
  if (UNPRINTABLE.test(path) || !path.isWellFormed()) {
    throw new MeshError("invalid_argument", "the path has control characters");
  }
  if (path.includes("\\")) {
    throw new MeshError("invalid_argument", `"${path}" has a backslash: write / between folders`);
  }
  if (path.startsWith("/") || path.startsWith("~") || /^[a-z]:/i.test(path)) {
    throw new MeshError(
      "forbidden",
      `"${path}" is no path inside a shared folder: leave out what stands before it`,
    );
  }
  const segments = path.split("/").filter((segment) => segment !== "" && segment !== ".");
  if (segments.includes("..")) {
    throw new MeshError("forbidden", `"${path}" leads out of the shared folder by ".."`);
  }
  for (const segment of segments) {
    const problem = segmentProblem(segment);
    if (problem !== null) throw new MeshError("forbidden", `"${segment}" ${problem}`);
  }
  return segments;
}

/** Returns why a file or folder of this name is never served, in words behind the name; null when it may be. */
export function segmentProblem(segment: string): string | null {
  if (UNPRINTABLE.test(segment) || encoder.encode(segment).length > MAX_SEGMENT_BYTES) {
    return "is no name that can be served";
  }
  // As a file system that does not tell cases, widths or invisible characters apart would read it.
  const plain = segment.normalize("NFKC").replace(IGNORED, "").toLowerCase().replace(/[. ]+$/, "");
  if (plain === "" || isDeviceName(plain)) return "is no name that can be served";
  if (Deno.build.os === "windows" && segment.includes(":")) return "is no name that can be served";
  if (plain.trimStart().startsWith(".")) return "is hidden, and hidden files are never served";
  return isSecret(plain) ? "may hold secrets, and such files are never served" : null;
}

function isSecret(plain: string): boolean {
  return SECRET_EXTENSION.test(plain) || SECRET_NAME.test(plain) || SECRET_DATA.test(plain) ||
    ENVIRONMENT.test(plain) || ADMIN_SDK.test(plain);
}

/**
 * The settings of an object server: `MINIO_ENDPOINT` with its two keys, or none of them and a folder is used.
 */
import { flag, secretText, serverAddress, type ValueKind } from "./config_values.ts";
import type { ObjectServer } from "./settings.ts";

/** Names that these settings have. */
export const OBJECT_SERVER_NAMES = [
  "MINIO_ENDPOINT",
  "MINIO_ACCESS_KEY",
  "MINIO_SECRET_KEY",
  "MINIO_USE_SSL",
  "MINIO_PUBLIC_URL",
] as const;

const PLAIN_PORT = 80;
const SECURE_PORT = 443;

/** What this module needs of the configuration's reader. */
export interface ObjectServerSource {
  value<T>(name: string, kind: ValueKind<T>): Promise<T | undefined>;
  /** Notes what is wrong. */
  problem(text: string): void;
}

/** Reads the settings; null: no object server. What is wrong is noted. */
export async function objectServerOf(source: ObjectServerSource): Promise<ObjectServer | null> {
  const endpoint = await source.value("MINIO_ENDPOINT", serverAddress);
  const accessKey = await source.value("MINIO_ACCESS_KEY", secretText);
  const secretKey = await source.value("MINIO_SECRET_KEY", secretText);
  const useSsl = await source.value("MINIO_USE_SSL", flag);
  const publicUrl = await source.value("MINIO_PUBLIC_URL", serverAddress);
  if (endpoint === undefined || accessKey === undefined || secretKey === undefined) {
    const given = { endpoint, accessKey, secretKey, useSsl, publicUrl };
    if (Object.values(given).some((value) => value !== undefined)) {
      source.problem(
        "MINIO_ENDPOINT, MINIO_ACCESS_KEY and MINIO_SECRET_KEY go together; set all three, or none " +
          "to keep files in the data folder",
      );
    }
    return null;
  }
  return {
    ...placeOf(endpoint, useSsl),
    accessKey,
    secretKey,
    publicPlace: publicUrl === undefined ? null : placeOf(publicUrl, undefined),
  };
}

function placeOf(
  { host, port, secure }: { host: string; port: number | null; secure: boolean | null },
  useSsl: boolean | undefined,
) {
  const isSecure = useSsl ?? secure ?? false;
  return { host, secure: isSecure, port: port ?? (isSecure ? SECURE_PORT : PLAIN_PORT) };
}

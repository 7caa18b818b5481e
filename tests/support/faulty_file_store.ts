/**
 * The broker's side of shared files in the test's own process, as small as the contract allows, that does wrong what a
 * test tells it to: cuts connections, forgets bytes, swaps files, changes what it keeps.
 */
import { createHash } from "node:crypto";
import { MeshError } from "../../broker/api/errors.ts";
import type { MeshPeerApi } from "../../agent/core/mesh_peer_api.ts";
import { concatBytes } from "../../crypto/bytes.ts";
import { randomId } from "../../crypto/random.ts";

export interface StoredFile {
  readonly fileId: string;
  readonly name: string;
  readonly size: number;
  /** Member key of who uploaded it. */
  by: string;
  bytes: Uint8Array;
  sha256: string;
  sealedKeys: { pubkey: string; sealedKey: string }[];
  wrappedKeys: { epoch: number; wrappedKey: string }[];
}

type Input = Record<string, unknown>;

export class FaultyFileStore {
  readonly files = new Map<string, StoredFile>();
  readonly uploads = new Map<string, StoredFile>();
  /** Operations in the order in which they were called. */
  readonly calls: string[] = [];
  /** `METHOD offset` of each HTTP request. */
  readonly requests: string[] = [];
  epoch = 1;
  /** Ends uploads after so many bytes of a request, one for each entry; null lets one pass. */
  cutUploads: (number | null)[] = [];
  /** Ends downloads after so many bytes, one for each entry. */
  cutDownloads: number[] = [];
  /** Answers so many HTTP requests with this code and status before it looks at them. */
  refusals: { error: string; status: number }[] = [];
  /** Called before an operation is carried out; what it throws is the answer. */
  before: (wire: string) => void = () => {};
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
    this.#server = Deno.serve(options, (request) => this.#serve(request));
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** The operations as an agent of the member `pubkey` calls them. */
  callAs(pubkey: string): MeshPeerApi["call"] {
    const call = (op: { wire: string }, input: Input) => {
      this.calls.push(op.wire);
      this.before(op.wire);
      return Promise.resolve(this.#perform(op.wire, input, pubkey));
    };
    return call as unknown as MeshPeerApi["call"];
  }

  /** The only file. */
  get only(): StoredFile {
    const [file] = this.files.values();
    if (file === undefined || this.files.size > 1) throw new Error("there is not one file");
    return file;
  }

  async close(): Promise<void> {
    await this.#server.shutdown();
  }

  #perform(wire: string, input: Input, pubkey: string): Input {
    const fileId = String(input.fileId ?? randomId());
    switch (wire) {
      case "start_file_upload":
        return this.#upload(this.#start(fileId, input, pubkey));
      case "resume_file_upload":
        return this.#upload(this.#found(this.uploads, fileId));
      case "commit_file_upload":
        return { file: this.#view(this.#commit(fileId, input)) };
      case "cancel_file_upload":
        this.uploads.delete(fileId);
        return { fileId };
      case "file_status":
        return { fileId, file: this.#view(this.#found(this.files, fileId)) };
      case "get_file":
        return this.#get(this.#found(this.files, fileId), pubkey);
      default:
        throw new Error(`${wire} is nothing that this store does`);
    }
  }

  #found(files: Map<string, StoredFile>, fileId: string): StoredFile {
    const file = files.get(fileId);
    if (file === undefined) throw new MeshError("not_found", `there is no file ${fileId}`);
    return file;
  }

  #start(fileId: string, input: Input, by: string): StoredFile {
    const name = String(input.name);
    const size = Number(input.size);
    const bytes = new Uint8Array();
    const file = { fileId, name, size, by, bytes, sha256: "", sealedKeys: [], wrappedKeys: [] };
    this.uploads.set(fileId, file);
    return file;
  }

  #upload({ fileId, bytes, size }: StoredFile): Input {
    const url = `${this.url}/uploads/${fileId}`;
    return { fileId, url, urlExpiresAt: "", offset: bytes.length, size };
  }

  #commit(fileId: string, input: Input): StoredFile {
    const upload = this.#found(this.uploads, fileId);
    const epoch = input.epoch as number | undefined;
    if (epoch !== undefined && epoch !== this.epoch) throw new MeshError("stale_epoch", "rotated");
    upload.sha256 = createHash("sha256").update(upload.bytes).digest("hex");
    if (upload.bytes.length !== upload.size || upload.sha256 !== input.sha256) {
      throw new MeshError("bad_digest", "other bytes arrived");
    }
    if (epoch !== undefined) {
      upload.wrappedKeys = [{ epoch, wrappedKey: String(input.wrappedKey) }];
    }
    upload.sealedKeys = (input.sealedKeys ?? []) as StoredFile["sealedKeys"];
    this.uploads.delete(fileId);
    this.files.set(fileId, upload);
    return upload;
  }

  #view({ fileId, name, size, by }: StoredFile): Input {
    return { id: fileId, name, size, uploadedBy: "Ada", uploadedByPubkey: by };
  }

  #get(file: StoredFile, pubkey: string): Input {
    const { fileId, sha256, wrappedKeys, sealedKeys } = file;
    const sealedKey = sealedKeys.find((key) => key.pubkey === pubkey)?.sealedKey;
    const url = `${this.url}/files/${fileId}`;
    return { ...this.#view(file), fileId, url, urlExpiresAt: "", sha256, wrappedKeys, sealedKey };
  }

  async #serve(request: Request): Promise<Response> {
    const [, kind, fileId] = new URL(request.url).pathname.split("/");
    const offset = request.headers.get("upload-offset") ?? request.headers.get("range") ?? "";
    this.requests.push(`${request.method} ${offset}`);
    const refusal = this.refusals.shift();
    if (refusal !== undefined) {
      await request.body?.cancel();
      const { error, status } = refusal;
      return Response.json({ error, message: `told to refuse with ${error}` }, { status });
    }
    return kind === "uploads"
      ? await this.#take(this.#found(this.uploads, fileId!), request, Number(offset))
      : this.#send(this.#found(this.files, fileId!), offset);
  }

  async #take(upload: StoredFile, request: Request, offset: number): Promise<Response> {
    const headers = { "upload-offset": String(upload.bytes.length) };
    if (offset !== upload.bytes.length) {
      await request.body?.cancel();
      return Response.json({ error: "conflict", message: "elsewhere" }, { status: 409, headers });
    }
    const sent = new Uint8Array(await request.arrayBuffer());
    const cutAt = this.cutUploads.shift() ?? null;
    const kept = sent.subarray(0, cutAt ?? sent.length);
    upload.bytes = concatBytes(upload.bytes, kept);
    // A server cannot break a connection by hand here; an answer that is none does as well.
    if (cutAt !== null) return new Response("cut", { status: 502 });
    return Response.json({ offset: upload.bytes.length, size: upload.size });
  }

  #send(file: StoredFile, range: string): Response {
    const from = Number(/^bytes=(\d+)-$/.exec(range)?.[1] ?? 0);
    const rest = file.bytes.subarray(from);
    const cutAt = this.cutDownloads.shift();
    const body = cutAt === undefined || cutAt >= rest.length ? rest : broken(rest, cutAt);
    const last = file.bytes.length - 1;
    return new Response(body as BodyInit, {
      status: range === "" ? 200 : 206,
      headers: range === "" ? {} : { "content-range": `bytes ${from}-${last}/${last + 1}` },
    });
  }
}

/** A body that ends after so many bytes. */
function broken(bytes: Uint8Array, after: number): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      if (after > 0) controller.enqueue(bytes.slice(0, after));
      controller.close();
    },
  });
}

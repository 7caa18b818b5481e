/**
 * The files of one joined mesh, as the daemon asks for them: sharing and fetching through the broker's store, reading
 * from other members' shared folders, serving one's own.
 */
import { peerFiles } from "../../../broker/api/peer_files.ts";
import { sharedFiles } from "../../../broker/api/shared_files.ts";
import { isPublicKey } from "../../../crypto/sign.ts";
import { sealKeyFor } from "../../../crypto/mesh_key.ts";
import type { Frame } from "../frame.ts";
import type { Link } from "../link.ts";
import { LocalError } from "../local_error.ts";
import type { ResolvedTarget } from "../mesh_peer_api.ts";
import type { FetchedResult, FetchRequest } from "./download.ts";
import { FileKeyDuty } from "./file_key_duty.ts";
import { fileKeyOf } from "./file_keys.ts";
import { localTwin } from "./local_twin.ts";
import { OwnGrants } from "./own_grants.ts";
import type { PartFile } from "./part_file.ts";
import { PeerFileHost, type ServedFile } from "./peer_file_host.ts";
import { type AskedPeer, PeerFileReader } from "./peer_file_reader.ts";
import type { PeerFileListing, PeerFilePart } from "./peer_file_talk.ts";
import { SharedFolders } from "./shared_folders.ts";
import type { TransferControl, TransferWorld } from "./transfer.ts";
import type { SharedResult, ShareRequest } from "./upload.ts";

export interface MeshFilesOptions extends TransferWorld {
  /** The mesh's state folder on this disk. */
  readonly stateFolder: string;
  readonly hostname: string;
  /** What a name stands for. */
  resolve(to: string): Promise<ResolvedTarget>;
  /** Called when another member has read or listed something here, or was refused. */
  onServed(served: ServedFile): void;
}

/** A file that was read from a peer's disk onto this one. */
export interface PeerFileResult {
  readonly path: string;
  readonly sizeBytes: number;
  readonly from: string;
}

const EVERYONE: ReadonlySet<string> = new Set(["*", "@all"]);

export class MeshFiles {
  readonly folders: SharedFolders;
  readonly grants: OwnGrants;
  readonly #options: MeshFilesOptions;
  readonly #host: PeerFileHost;
  readonly #reader: PeerFileReader;
  readonly #duty: FileKeyDuty;
  readonly #running = new Set<Promise<unknown>>();
  readonly #stopping = new AbortController();

  /** Reads what is shared and granted. Throws LocalError when the state folder cannot be read. */
  constructor(options: MeshFilesOptions) {
    const { meshId, member, clock, hostname, call, onServed } = options;
    this.#options = options;
    this.folders = new SharedFolders(options.stateFolder);
    this.grants = new OwnGrants(options.stateFolder);
    const { folders, grants } = this;
    this.#host = new PeerFileHost({ meshId, member, folders, grants, clock, hostname, onServed });
    this.#reader = new PeerFileReader({ meshId, member, clock, hostname, call });
    this.#duty = new FileKeyDuty(options);
  }

  /**
   * Shares a file with the members that `to` names; without any, or with `*` or `@all`, with the whole mesh.
   * @throws as `uploadFile`, and for names as `resolve`.
   */
  async share(
    request: Omit<ShareRequest, "readers"> & { readonly to: readonly string[] },
    control: TransferControl,
  ): Promise<SharedResult> {
    const readers = await this.#readers(request.to);
    // Loaded where it is used first: most agents never move a file, and every one of them is resident.
    const { uploadFile } = await import("./upload.ts");
    return await this.#run(
      control,
      (own) => uploadFile(this.#options, { ...request, readers }, own),
    );
  }

  /** Fetches a shared file. @throws as `downloadFile`. */
  async fetch(request: FetchRequest, control: TransferControl): Promise<FetchedResult> {
    const { downloadFile } = await import("./download.ts");
    return await this.#run(control, (own) => downloadFile(this.#options, request, own));
  }

  /**
   * Lets more members read a file, by sealing its key to each. @throws {LocalError} `waiting_for_key` when this agent
   * cannot open it itself, {MeshError} as the broker refuses.
   */
  async grant(
    fileId: string,
    to: readonly string[],
  ): Promise<{ name: string; granted: AskedPeer[] }> {
    const { call, member, keyring } = this.#options;
    const peers: AskedPeer[] = [];
    for (const name of to) peers.push(await this.#member(name));
    const remote = await call(sharedFiles.getFile, { fileId });
    const key = fileKeyOf(remote, member.secretKey, keyring);
    for (const { memberKey: peerPubkey } of peers) {
      const sealedKey = sealKeyFor(peerPubkey, key);
      await call(sharedFiles.grantFileAccess, { fileId, peerPubkey, sealedKey });
    }
    return { name: remote.name, granted: peers };
  }

  /**
   * Reads a part of a peer's file; `localPath` is where the same file lies on this machine, if the peer runs here too.
   * @throws as `PeerFileReader.part`.
   */
  async readPart(
    peer: string,
    path: string,
    offset: number,
  ): Promise<
    { from: AskedPeer; part: PeerFilePart; content: Uint8Array; localPath: string | null }
  > {
    const from = await this.#member(peer);
    const { part, content } = await this.#reader.part(from, path, offset);
    return { from, part, content, localPath: await localTwin(part, content) };
  }

  /** Reads a peer's whole file onto this disk. @throws as `readPart` and `PartFile`. */
  async fetchFromPeer(
    request: { peer: string; path: string; saveTo: string; force: boolean },
    control: TransferControl,
  ): Promise<PeerFileResult> {
    const from = await this.#member(request.peer);
    const name = request.path.slice(request.path.lastIndexOf("/") + 1);
    const { PartFile, targetPath } = await import("./part_file.ts");
    const target = await targetPath(request.saveTo, name);
    return await this.#run(control, async ({ signal, onProgress }) => {
      let part: PartFile | null = null;
      try {
        const { sizeBytes } = await this.#reader.whole(
          from,
          request.path,
          async (content, read) => {
            part ??= await PartFile.create(target, request.force);
            signal.throwIfAborted();
            await part.write(content);
            const totalBytes = read.sizeBytes;
            onProgress({ phase: "fetching", doneBytes: part.size, totalBytes });
          },
        );
        const whole = part as PartFile | null;
        part = null;
        await whole?.finish();
        return { path: target, sizeBytes, from: from.name };
      } finally {
        await (part as PartFile | null)?.abandon();
      }
    });
  }

  /** Lists what a peer shares. @throws as `PeerFileReader.list`. */
  async listPeer(
    peer: string,
    path: string,
    pattern: string | null,
  ): Promise<PeerFileListing & { from: AskedPeer }> {
    const from = await this.#member(peer);
    return { from, ...await this.#reader.list(from, path, pattern) };
  }

  /** Wraps file keys anew after a rotation, now; it happens by itself a while after each. Returns how many. */
  async rewrapKeys(): Promise<number> {
    return await this.#duty.run();
  }

  /** Takes a frame of the relay; false when it is none. */
  take(frame: Frame, link: Pick<Link, "post">): boolean {
    if (frame.type === "peer_file_response_forward") this.#reader.take(frame);
    else if (frame.type === "peer_file_request_forward") this.#answer(frame, link);
    else return false;
    return true;
  }

  connected(): void {
    this.#duty.plan();
  }

  keysChanged(): void {
    this.#duty.plan();
  }

  connectionLost(): void {
    this.#reader.connectionLost();
  }

  /** Ends transfers; resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    const reason = new LocalError("offline", "the agent is stopping");
    this.#stopping.abort(reason);
    this.#reader.connectionLost();
    await this.#duty.stop();
    await Promise.allSettled(this.#running);
  }

  #answer(frame: Frame, link: Pick<Link, "post">): void {
    const { requestId, requesterPubkey, sealed } = frame;
    const isQuestion = typeof requestId === "string" && typeof sealed === "string" &&
      isPublicKey(requesterPubkey);
    if (!isQuestion || this.#stopping.signal.aborted) return;
    const answering = this.#host.answer({ requestId, requesterPubkey, sealed }).then((answer) => {
      const response = { requesterPubkey, requestId, ...answer };
      // A connection that is gone takes the question with it: the broker tells who asked.
      link.post(peerFiles.peerFileResponse.wire, response);
    });
    this.#track(answering);
  }

  async #run<T>(
    control: TransferControl,
    work: (control: TransferControl) => Promise<T>,
  ): Promise<T> {
    const signal = AbortSignal.any([control.signal, this.#stopping.signal]);
    signal.throwIfAborted();
    return await this.#track(
      work({ signal, onProgress: (progress) => control.onProgress(progress) }),
    );
  }

  #track<T>(work: Promise<T>): Promise<T> {
    const tracked = work.finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
    return tracked;
  }

  async #readers(to: readonly string[]): Promise<string[] | null> {
    if (to.length === 0 || to.some((name) => EVERYONE.has(name.trim().toLowerCase()))) return null;
    const readers: string[] = [];
    for (const name of to) readers.push((await this.#member(name)).memberKey);
    return readers;
  }

  async #member(name: string): Promise<AskedPeer> {
    const resolved = await this.#options.resolve(name);
    if (resolved.memberKey !== null) return { memberKey: resolved.memberKey, name: resolved.name };
    throw new LocalError("invalid_argument", `"${name}" is no single member`, {
      hint: "name a member; without anybody a file is shared with the whole mesh",
    });
  }
}

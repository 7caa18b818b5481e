/**
 * PGlite's folder on disk, with a real fsync. PGlite's own Node file system has none, so a commit
 * would survive a killed process but no power cut. Runs in PGlite's worker.
 */
import { NodeFS } from "@electric-sql/pglite/nodefs";
import { fdatasyncSync } from "node:fs";

/** The part of Emscripten's NODEFS that the hook needs. */
interface NodeFsModule {
  readonly FS: { readonly ErrnoError: new (errno: number) => Error };
  readonly NODEFS: { readonly stream_ops: { fsync?: (stream: { nfd: number }) => number } };
}

/** WASI's number for an input/output error. */
const EIO = 29;

/**
 * Mounts a folder whose files PostgreSQL can flush. PostgreSQL must run with `fsync=on` and
 * `wal_sync_method=fsync`: Emscripten routes only `fsync` (not `fdatasync`) to the file system.
 */
export class SyncedNodeFs extends NodeFS {
  /** How often PostgreSQL had something flushed to the disk. */
  syncs = 0;
  readonly #onSyncFailure: (message: string) => void;

  /**
   * @param folder an existing folder.
   * @param onSyncFailure told when the disk refuses to flush: nothing may be acknowledged any more.
   */
  constructor(folder: string, onSyncFailure: (message: string) => void) {
    super(folder);
    this.#onSyncFailure = onSyncFailure;
  }

  /** Adds the hook before PostgreSQL starts, so that crash recovery is flushed too. */
  override async init(...[pglite, options]: Parameters<NodeFS["init"]>): ReturnType<
    NodeFS["init"]
  > {
    const { emscriptenOpts } = await super.init(pglite, options);
    const preRun = [
      ...(emscriptenOpts.preRun ?? []),
      (module: unknown) => this.#hook(module as NodeFsModule),
    ];
    return { emscriptenOpts: { ...emscriptenOpts, preRun } };
  }

  #hook(module: NodeFsModule): void {
    module.NODEFS.stream_ops.fsync = (stream) => {
      try {
        fdatasyncSync(stream.nfd);
      } catch (error) {
        this.#onSyncFailure(error instanceof Error ? error.message : "unknown reason");
        throw new module.FS.ErrnoError(EIO);
      }
      this.syncs++;
      return 0;
    };
  }
}

/**
 * The mailboxes and open messages of each mesh, and whether they have been loaded.
 */
import type { Member, Mesh } from "../model.ts";
import { Mailbox } from "./mailbox.ts";
import type { OpenMessage } from "./open_message.ts";

/** What delivery keeps of one mesh. */
export class MeshMail {
  readonly mesh: Mesh;
  readonly mailboxes = new Map<Member, Mailbox>();
  /** Messages that are open for somebody, by place in the log, in order. */
  readonly open = new Map<number, OpenMessage>();
  loaded = false;
  /** The load under way, null for none. */
  loading: Promise<void> | null = null;

  constructor(mesh: Mesh) {
    this.mesh = mesh;
  }

  /** Returns the mailbox of a member of this mesh. */
  mailbox(member: Member): Mailbox {
    let mailbox = this.mailboxes.get(member);
    if (mailbox === undefined) {
      mailbox = new Mailbox(member);
      this.mailboxes.set(member, mailbox);
    }
    return mailbox;
  }
}

/** The mail of all meshes. */
export class Mailroom {
  readonly #byMesh = new Map<Mesh, MeshMail>();

  of(mesh: Mesh): MeshMail {
    let mail = this.#byMesh.get(mesh);
    if (mail === undefined) {
      mail = new MeshMail(mesh);
      this.#byMesh.set(mesh, mail);
    }
    return mail;
  }

  all(): IterableIterator<MeshMail> {
    return this.#byMesh.values();
  }
}

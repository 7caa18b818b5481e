/**
 * Open deliveries after a start: read from the log by the members' positions.
 */
import type {
  CursorRow,
  MessageHead,
  MessageStore,
} from "../../../storage/sql/queries/message_store.ts";
import type { Member } from "../model.ts";
import { isActive } from "../targets.ts";
import type { Closings } from "./closings.ts";
import type { MeshMail } from "./mailroom.ts";
import { OpenMessage } from "./open_message.ts";

const PAGE = 2_000;

/**
 * Fills the mailboxes of a mesh, which must be empty.
 * @param closings closes what members can no longer get.
 */
export async function loadMail(
  mail: MeshMail,
  store: MessageStore,
  closings: Closings,
): Promise<void> {
  const cursors = new Map<number, Cursor>();
  for (const row of await store.cursors(mail.mesh.id)) cursors.set(row.memberNumber, cursorOf(row));
  let fromSeq = firstOpen(mail, cursors);
  const heads: MessageHead[] = [];
  for (;;) {
    const page = await store.openMessages(mail.mesh.id, fromSeq, PAGE);
    heads.push(...page);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) break;
    fromSeq = last.seq + 1;
  }
  for (const [number, { closedThrough }] of cursors) {
    const member = mail.mesh.membersByNumber.get(number);
    if (member !== undefined) mail.mailbox(member).closedThrough = closedThrough;
  }
  for (const head of heads) addMessage(mail, head, cursors, closings);
}

interface Cursor {
  readonly closedThrough: number;
  readonly openBelow: ReadonlySet<number>;
}

function cursorOf({ closedThrough, openBelow }: CursorRow): Cursor {
  return { closedThrough, openBelow: new Set(openBelow) };
}

/** No message before this one is open for anybody. */
function firstOpen(mail: MeshMail, cursors: ReadonlyMap<number, Cursor>): number {
  let first = Infinity;
  for (const number of mail.mesh.membersByNumber.keys()) {
    const cursor = cursors.get(number);
    if (cursor === undefined) return 0;
    first = Math.min(first, cursor.closedThrough + 1, ...cursor.openBelow);
  }
  return first === Infinity ? 0 : first;
}

function addMessage(
  mail: MeshMail,
  head: MessageHead,
  cursors: ReadonlyMap<number, Cursor>,
  closings: Closings,
): void {
  const { mesh } = mail;
  const sender = mesh.membersByNumber.get(head.senderNumber);
  if (sender === undefined) throw new Error(`message ${head.id} has a sender of another mesh`);
  const recipients = head.recipients
    .map((number) => mesh.membersByNumber.get(number))
    .filter((member): member is Member => member !== undefined);
  const message = new OpenMessage(head, {
    sender,
    senderName: senderNameOf(sender, head.senderSessionPubkey),
    recipients,
  });
  for (const member of recipients) {
    const cursor = cursors.get(member.number);
    const isOpen = cursor === undefined || head.seq > cursor.closedThrough ||
      cursor.openBelow.has(head.seq);
    if (isOpen) mail.mailbox(member).add(message);
  }
  if (message.openCount > 0) mail.open.set(message.seq, message);
  for (const member of recipients) {
    if (isActive(member)) continue;
    const mailbox = mail.mailbox(member);
    const delivery = mailbox.open.get(message.id);
    if (delivery !== undefined) closings.close(mailbox, delivery, "expired");
  }
}

function senderNameOf(sender: Member, sessionPubkey: string | null): string {
  if (sessionPubkey !== null) {
    for (const { pubkey, displayName } of sender.sessions.values()) {
      if (pubkey === sessionPubkey) return displayName;
    }
  }
  return sender.displayName;
}

/**
 * What a joined mesh has on this machine's disk, opened together: keys, inbox, outbox, directory.
 */
import type { KeyPair } from "../../crypto/sign.ts";
import type { AgentHome, JoinedMesh } from "./agent_home.ts";
import { Directory } from "./directory.ts";
import { Inbox } from "./inbox.ts";
import { KeyHolders } from "./key_holders.ts";
import { Keyring } from "./keyring.ts";
import { LocalError } from "./local_error.ts";
import { Outbox } from "./outbox.ts";

export interface PeerStores {
  readonly member: KeyPair;
  readonly keyring: Keyring;
  readonly holders: KeyHolders;
  readonly directory: Directory;
  readonly inbox: Inbox;
  readonly outbox: Outbox;
}

/** Opens everything. Throws a home's error or LocalError, and then nothing stays open. */
export function openStores(home: AgentHome, mesh: JoinedMesh, now: () => number): PeerStores {
  const member = home.readMemberKey(mesh.meshId);
  if (member.publicKey !== mesh.pubkey) {
    throw new LocalError(
      "refused",
      `the key of mesh ${mesh.slug} is not the one it was joined with`,
      {
        hint: "put the key file back from a backup, or leave the mesh and join it again",
      },
    );
  }
  const keyring = new Keyring(home, mesh, member, now);
  const folder = home.stateDir(mesh.meshId);
  const inbox = new Inbox(folder, mesh, now);
  try {
    const outbox = new Outbox(folder, now);
    const directory = new Directory(folder, mesh.pubkey);
    const holders = new KeyHolders(folder, mesh);
    return { member, keyring, holders, directory, inbox, outbox };
  } catch (error) {
    inbox.close();
    throw error;
  }
}

/**
 * System events: the `push` frames with `subtype: "system"`, and a few frames of their own, that tell connections what
 * changed around them. They are news, not messages: they are not stored and not acknowledged. Formats: reference
 * protocol 3.2 and 3.4.
 */
import type * as z from "zod";
import type { EventSpec } from "../api/event.ts";
import type { Clock, Random } from "./clock.ts";
import type { Connection, Member, Mesh } from "./model.ts";

/** Sends events; each is made into a frame once, whatever the number of its receivers. */
export class SystemEvents {
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Sends to every connection of the mesh that `wanted` lets through. Returns how many got it. */
  toMesh<Data extends z.ZodObject>(
    mesh: Mesh,
    spec: EventSpec<Data>,
    data: z.input<Data>,
    wanted: (connection: Connection) => boolean = everyone,
  ): number {
    return this.#send(mesh.connections, mesh, spec, data, wanted);
  }

  /** Sends to the connections of one member. Returns how many got it. */
  toMember<Data extends z.ZodObject>(
    member: Member,
    spec: EventSpec<Data>,
    data: z.input<Data>,
  ): number {
    return this.toMesh(member.mesh, spec, data, (connection) => connection.member === member);
  }

  /** Sends to the connections of owners and admins. Returns how many got it. */
  toAdmins<Data extends z.ZodObject>(
    mesh: Mesh,
    spec: EventSpec<Data>,
    data: z.input<Data>,
  ): number {
    return this.toMesh(mesh, spec, data, (connection) => connection.member.role !== "member");
  }

  /**
   * Sends an event that is a frame of its own to the other connections of the sender's mesh that `wanted` lets through.
   * Returns how many got it.
   */
  toOthers<Data extends z.ZodObject>(
    sender: Connection,
    spec: EventSpec<Data>,
    data: z.input<Data>,
    wanted: (connection: Connection) => boolean = everyone,
  ): number {
    const frame = JSON.stringify({ type: spec.wire, ...data });
    let count = 0;
    for (const connection of sender.mesh.connections) {
      if (connection === sender || !connection.open || !wanted(connection)) continue;
      connection.send(frame);
      count += 1;
    }
    return count;
  }

  #send<Data extends z.ZodObject>(
    connections: Iterable<Connection>,
    mesh: Mesh,
    spec: EventSpec<Data>,
    data: z.input<Data>,
    wanted: (connection: Connection) => boolean,
  ): number {
    let frame: string | null = null;
    let count = 0;
    for (const connection of connections) {
      if (!connection.open || !wanted(connection)) continue;
      frame ??= this.#frame(mesh, spec, data);
      connection.send(frame);
      count += 1;
    }
    return count;
  }

  #frame<Data extends z.ZodObject>(
    mesh: Mesh,
    spec: EventSpec<Data>,
    data: z.input<Data>,
  ): string {
    return JSON.stringify({
      type: spec.wire,
      subtype: "system",
      event: spec.name,
      eventData: data,
      messageId: this.#random.id(),
      meshId: mesh.id,
      senderPubkey: "system",
      priority: "low",
      nonce: "",
      ciphertext: "",
      createdAt: new Date(this.#clock.now()).toISOString(),
    });
  }
}

function everyone(): boolean {
  return true;
}

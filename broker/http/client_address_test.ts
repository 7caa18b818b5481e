/** Whose address counts, who is local, and which hosts and origins are answered. */
import assert from "node:assert/strict";
import {
  clientAddress,
  type OwnPlace,
  requireOwnHost,
  requireSameOrigin,
} from "./client_address.ts";

const place: OwnPlace = {
  host: "127.0.0.1",
  publicUrl: "http://127.0.0.1:8787",
  trustedProxies: [],
};

function from(hostname: string): Deno.Addr {
  return { transport: "tcp", hostname, port: 50_000 };
}

function headers(fields: Record<string, string>): Headers {
  return new Headers({ host: "127.0.0.1:8787", ...fields });
}

Deno.test("a program on this machine is local, by IPv4, IPv6 and IPv4 inside IPv6", () => {
  for (const ip of ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"]) {
    assert.equal(clientAddress(from(ip), headers({}), place).local, true, ip);
  }
  assert.deepEqual(clientAddress(from("10.1.2.3"), headers({}), place), {
    ip: "10.1.2.3",
    local: false,
  });
});

Deno.test("a forwarded request is not local, whatever it claims about its client", () => {
  for (const name of ["x-forwarded-for", "forwarded", "x-real-ip", "via"]) {
    const address = clientAddress(from("127.0.0.1"), headers({ [name]: "127.0.0.1" }), place);
    assert.deepEqual(address, { ip: "127.0.0.1", local: false }, name);
  }
});

Deno.test("a request from this machine with a foreign host name is not local (DNS rebinding)", () => {
  for (const host of ["evil.example:8787", "127.0.0.1.evil.example", "localhost@evil.example"]) {
    assert.equal(clientAddress(from("127.0.0.1"), headers({ host }), place).local, false, host);
  }
});

Deno.test("X-Forwarded-For of an untrusted peer changes nothing", () => {
  const sent = headers({ "x-forwarded-for": "203.0.113.9" });
  assert.equal(clientAddress(from("198.51.100.1"), sent, place).ip, "198.51.100.1");
});

Deno.test("behind trusted proxies the last address that is not one of them counts", () => {
  const behind = { ...place, trustedProxies: ["10.0.0.0/8", "::1"] };
  const sent = headers({ "x-forwarded-for": "1.1.1.1, 203.0.113.9, 10.0.0.7" });
  assert.equal(clientAddress(from("10.0.0.1"), sent, behind).ip, "203.0.113.9");
  assert.equal(clientAddress(from("::1"), sent, behind).ip, "203.0.113.9");
  const junk = headers({ "x-forwarded-for": "203.0.113.9, unknown" });
  assert.equal(clientAddress(from("10.0.0.1"), junk, behind).ip, "10.0.0.1");
});

Deno.test("a broker bound to loopback refuses foreign host names, one bound elsewhere does not", () => {
  for (const host of ["127.0.0.1:8787", "localhost", "[::1]:8787", "box.localhost"]) {
    requireOwnHost(headers({ host }), place);
  }
  for (const host of ["evil.example", "", "127.0.0.1/x", "127.0.0.1.nip.example"]) {
    assert.throws(() => requireOwnHost(headers({ host }), place), { code: "forbidden" }, host);
  }
  const published = { ...place, publicUrl: "https://mesh.example/base" };
  requireOwnHost(headers({ host: "mesh.example" }), published);
  requireOwnHost(headers({ host: "evil.example" }), { ...place, host: "0.0.0.0" });
});

Deno.test("a browser's request from another site is refused, one from the broker's own is not", () => {
  requireSameOrigin(headers({}), place);
  requireSameOrigin(headers({ origin: "http://127.0.0.1:8787" }), place);
  for (const origin of ["null", "https://evil.example", "http://127.0.0.1:9999"]) {
    assert.throws(() => requireSameOrigin(headers({ origin }), place), { code: "forbidden" });
  }
  const rebound = headers({ host: "evil.example", origin: "http://evil.example" });
  assert.throws(() => requireSameOrigin(rebound, { ...place, host: "0.0.0.0" }), {
    code: "forbidden",
  });
});

import type { Peer } from "../../net/peer.ts";

/** Who is at the other end, for errors. Messages name a registry by its host, and so the services that log in to it. */
export const REGISTRY: Peer = { service: "registry" };

import type { Peer } from "../../net/peer.ts";

/** The registry as a peer, for errors. Messages name a registry and its token servers by host. */
export const REGISTRY: Peer = { service: "registry" };

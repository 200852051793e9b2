import { withoutCard } from "../../cli/options/piv.ts";

export const run = withoutCard("attestation", "ykman piv keys attest SLOT -");

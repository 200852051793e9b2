import { withoutCard } from "../../cli/options/piv.ts";

export const run = withoutCard("generate-key", "ykman piv keys generate SLOT key.pub");

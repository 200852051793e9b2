import { withoutCard } from "../../cli/options/piv.ts";

export const run = withoutCard("reset", "ykman piv reset");

import { withoutCard } from "../../cli/options/piv.ts";

export const run = withoutCard("unblock", "ykman piv access unblock-pin");

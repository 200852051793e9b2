import { pivCommand } from "../../cli/options/piv.ts";
import { flag } from "../../cli/parser/define.ts";

export default pivCommand({
  name: "set-pin",
  summary: "Change the PIN of a PIV token",
  flags: { newPin: flag.string("new PIN", { secret: true }), oldPin: flag.string("current PIN", { secret: true }) },
  bindEnvironment: true,
});

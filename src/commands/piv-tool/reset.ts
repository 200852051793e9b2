import { pivCommand } from "../../cli/options/piv.ts";

export default pivCommand({
  name: "reset",
  summary: "Reset a PIV token to its factory settings",
  flags: {},
});

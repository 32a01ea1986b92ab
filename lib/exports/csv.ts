/** Writes CSV for spreadsheets. Pure. */

/** Characters that start a formula, including the full-width forms that East Asian versions accept. */
const SIGNS = "=+\\-@＝＋－＠";

/** A cell that spreadsheets may read as a formula; some skip leading spaces and semicolons. */
const FORMULA = new RegExp(`^(?:[\\s;]*[${SIGNS}]|[\\t\\r\\n])`);

/** Places where a spreadsheet that separates by semicolon or tab would start a cell inside one of ours. */
const INNER_FORMULA = new RegExp(`([;\\t\\r\\n]\\s*)(?=[${SIGNS}])`, "g");

/** Formats rows as CSV (RFC 4180) so that no spreadsheet reads a cell as a formula. */
export function csv(rows: readonly (readonly (string | null)[])[]): string {
  return rows.map((row) => `${row.map(csvValue).join(",")}\r\n`).join("");
}

function csvValue(value: string | null): string {
  const text = (value ?? "").replaceAll(INNER_FORMULA, "$1'");
  const safe = FORMULA.test(value ?? "") ? `'${text}` : text;
  return /[",;\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Rows for spreadsheets. Pure. */

/** What begins a formula, also as a full-width sign, which spreadsheets of East Asian languages take for the same. */
const SIGNS = "=+\\-@＝＋－＠";

/** A cell that a spreadsheet may take for a formula. Spaces and semicolons before the sign are skipped by some. */
const FORMULA = new RegExp(`^(?:[\\s;]*[${SIGNS}]|[\\t\\r\\n])`);

/** Where a spreadsheet whose separator is a semicolon or a tab begins a cell within one of ours. */
const INNER_FORMULA = new RegExp(`([;\\t\\r\\n]\\s*)(?=[${SIGNS}])`, "g");

/** Rows as CSV (RFC 4180); no cell is a formula to a spreadsheet, whichever separator it expects. */
export function csv(rows: readonly (readonly (string | null)[])[]): string {
  return rows.map((row) => `${row.map(csvValue).join(",")}\r\n`).join("");
}

function csvValue(value: string | null): string {
  const text = (value ?? "").replaceAll(INNER_FORMULA, "$1'");
  const safe = FORMULA.test(value ?? "") ? `'${text}` : text;
  return /[",;\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

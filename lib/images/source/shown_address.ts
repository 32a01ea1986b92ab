/** An address as it is shown and kept: without its query, which often holds a signature or token. */
export function shownAddress(address: string): string {
  const url = URL.parse(address);
  return url === null || (url.search === "" && url.hash === "") ? address : `${url.origin}${url.pathname}`;
}

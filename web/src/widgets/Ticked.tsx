/** A line of text in which names stand between backticks, as the server writes them: they are set as code. */
export function Ticked({ children }: { readonly children: string }) {
  const parts = children.split('`');
  // One tick without its second is a character like any other.
  if (parts.length % 2 === 0) return children;
  return parts.map((part, index) =>
    // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a text have their place and nothing else
    index % 2 ? <code key={index}>{part}</code> : part,
  );
}

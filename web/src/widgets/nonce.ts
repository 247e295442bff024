/** The nonce by which this page's libraries may add styles: the content security policy names it. */
export const styleNonce =
  typeof document === 'undefined'
    ? ''
    : (document.querySelector<HTMLMetaElement>('meta[name="style-nonce"]')?.content ?? '');

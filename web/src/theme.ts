/** The look of the designer: Mantine's theme. */

import { type CSSVariablesResolver, createTheme, Drawer, Loader, Modal, Notification } from '@mantine/core';
import { words } from './text/language';

const closing = { closeButtonProps: { 'aria-label': words.shell.close } };

export const theme = createTheme({
  primaryColor: 'indigo',
  // White on the usual shade is too faint for small texts.
  primaryShade: { light: 7, dark: 8 },
  defaultRadius: 'md',
  fontFamily: 'Inter, ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SF Mono", "Cascadia Code", "JetBrains Mono", Menlo, Consolas, monospace',
  cursorType: 'pointer',
  focusRing: 'auto',
  components: {
    Drawer: Drawer.extend({ defaultProps: closing }),
    // A label needs something that it is the name of.
    Loader: Loader.extend({ defaultProps: { role: 'status' } }),
    Modal: Modal.extend({ defaultProps: closing }),
    Notification: Notification.extend({ defaultProps: closing }),
  },
});

/** Texts on their own light colour, as of badges: dark enough for everybody. */
const READABLE = {
  teal: '#066649',
  green: '#1e6b2e',
  red: '#a61e1e',
  orange: '#943200',
  yellow: '#7a4a00',
  blue: '#155291',
  indigo: '#2b44a8',
  gray: '#343a40',
};

export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: Object.fromEntries(
    Object.entries(READABLE).map(([color, text]) => [`--mantine-color-${color}-light-color`, text]),
  ),
  dark: {},
});

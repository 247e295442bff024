/** The look of the designer: Mantine's theme. */

import { createTheme, Drawer, Loader, Modal, Notification } from '@mantine/core';
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

export const files = {
  /** Short: what the top bar says. */
  state: {
    saved: 'Saved',
    changed: 'Not saved yet',
    saving: 'Saving…',
    conflict: 'Changed elsewhere, too',
    offline: 'Not connected',
    locked: 'Session ended',
    refused: 'Not saved',
  },
  locked: 'Your session has ended. Your changes are kept here, and saved when you are back.',
  gone: 'The file was deleted. The graph is kept here.',
  saveAsNew: 'Save as a new file',
  letGo: 'Let it go',
  broken: 'The file on disk is no graph any more. What is shown is what it said before; your changes are kept.',
  openBroken: 'Look at the file',
  readyMade: 'This graph came with PyAgent. Change it as you like: a save makes a copy of yours.',
  offline: 'The server cannot be reached. Your changes are kept here.',
  unkept: 'This browser has no room to keep your changes. Save before you close the page.',
  refused: 'The server does not take it',
  save: 'Save',
  unreadable: 'The graph cannot be opened',
};

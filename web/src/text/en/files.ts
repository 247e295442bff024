export const files = {
  saved: 'Saved',
  changed: 'Not saved yet',
  saving: 'Saving…',
  conflict: 'Changed elsewhere: both have to be brought together',
  offline: 'The server cannot be reached. Your changes are kept here.',
  refused: 'The server does not take it',
  save: 'Save',
  unreadable: 'The graph cannot be opened',
};

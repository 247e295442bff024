export const conflict = {
  title: 'This file was changed elsewhere, too',
  intro:
    'What goes together has been put together. In these places both sides say something else: choose one for each. Nothing is written before you do.',
  ours: 'Yours',
  theirs: 'On disk',
  base: 'Before',
  nothing: 'nothing there',
  allOurs: 'Yours everywhere',
  allTheirs: 'Theirs everywhere',
  apply: 'Put together and save',
  later: 'Later',
  banner: 'The file was changed elsewhere, and not in the same way as here.',
  open: 'Put them together',
};

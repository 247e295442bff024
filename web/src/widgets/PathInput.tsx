import { Autocomplete } from '@mantine/core';
import { IconFile, IconFolder } from '@tabler/icons-react';
import { useState } from 'react';
import { useFolder } from '@/api/files';
import { BrowseButton } from './BrowseButton';
import classes from './PathInput.module.css';
import { joined, suits, typedPath } from './paths';

const MOST = 50;

interface Props {
  readonly label: string;
  readonly labelId: string;
  readonly describedBy: string;
  readonly value: string;
  readonly placeholder: string;
  readonly invalid: boolean;
  readonly foldersOnly: boolean;
  readonly onChange: (text: string) => void;
  readonly onBlur: () => void;
  /** One was chosen: it is no text on its way. */
  readonly onChoose: (path: string) => void;
}

/** A path: typed with completion of what is there, or looked for. */
export function PathInput(props: Props) {
  const { label, value, foldersOnly, onChange, onBlur, onChoose } = props;
  const [typing, setTyping] = useState(false);
  const [listed, setListed] = useState(false);
  const typed = typedPath(value);
  const { data: view } = useFolder({
    folder: typing && typed ? typed.folder : null,
    hidden: typed?.part.startsWith('.') ?? false,
  });
  const part = typed?.part.toLowerCase() ?? '';
  const fits = (view?.entries ?? [])
    .filter((entry) => entry.name.toLowerCase().startsWith(part) && suits(entry, foldersOnly))
    .slice(0, MOST);
  // A folder ends with a slash, so that typing goes on in it.
  const data = typed ? fits.map((one) => joined(typed.folder, one.name) + (one.kind === 'folder' ? '/' : '')) : [];
  return (
    <div className={classes.line}>
      <Autocomplete
        className={classes.field}
        aria-labelledby={props.labelId}
        aria-describedby={props.describedBy}
        data={data}
        filter={({ options }) => options}
        renderOption={({ option }) => (
          <span className={classes.option}>
            {option.value.endsWith('/') ? <IconFolder size={14} /> : <IconFile size={14} />}
            <bdi>{/[^/]*\/?$/.exec(option.value)?.[0]}</bdi>
          </span>
        )}
        maxDropdownHeight={280}
        value={value}
        placeholder={props.placeholder}
        error={props.invalid}
        spellCheck={false}
        // Escape closes the list first, and not the dialog that the field is in.
        data-mantine-stop-propagation={listed && data.length > 0 ? 'true' : undefined}
        onDropdownOpen={() => setListed(true)}
        onDropdownClose={() => setListed(false)}
        onFocus={() => setTyping(true)}
        onChange={onChange}
        onBlur={() => {
          setTyping(false);
          onBlur();
        }}
      />
      <BrowseButton label={label} folder={typed?.folder ?? ''} foldersOnly={foldersOnly} onChoose={onChoose} />
    </div>
  );
}

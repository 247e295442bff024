import { ActionIcon, Button, Group, Modal, PasswordInput, Select, Stack, TextInput } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import type { Schemas } from '@/api/client';
import { useCredentialKinds, useSetCredential } from '@/api/credentials';
import { fill, words } from '@/text/language';
import { ErrorMessage } from '@/widgets/ErrorMessage';

type Field = Schemas['FieldView'];

interface Props {
  /** The credential that is edited; null for a new one. */
  readonly credential: Schemas['CredentialView'] | null;
  /** The name that a new one begins with. */
  readonly name?: string;
  readonly onClose: () => void;
  readonly onSaved?: (name: string) => void;
}

/** Makes or changes a credential: a form of its kind's fields. A value that is there is kept unless another is given. */
export function CredentialDialog({ credential, name: first = '', onClose, onSaved }: Props) {
  const kinds = useCredentialKinds();
  const set = useSetCredential();
  const [name, setName] = useState(credential?.name ?? first);
  const [kindName, setKind] = useState(credential?.kind ?? 'generic');
  const [values, setValues] = useState<Readonly<Record<string, string>>>({});
  const [own, setOwn] = useState<readonly string[]>(credential?.fields ?? []);
  const kind = kinds.data?.find((one) => one.name === kindName);
  const there = new Set(credential?.kind === kindName ? credential.fields : []);
  const named = kind?.fields ?? [];
  const fields: readonly Field[] = named.length
    ? named
    : own.map((field) => ({ name: field, description: '', secret: true, required: false, choices: [] }));
  const missing = fields.some((field) => field.required && !values[field.name] && !there.has(field.name));
  const wrong = name !== '' && !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(name);

  const save = () => {
    const given = fields.flatMap((field): [string, string | null][] => {
      const value = values[field.name];
      if (value) return [[field.name, value]];
      return there.has(field.name) ? [[field.name, null]] : [];
    });
    set.mutate(
      { name, kind: kindName, fields: Object.fromEntries(given) },
      {
        onSuccess: (made) => {
          onSaved?.(made.name);
          onClose();
        },
      },
    );
  };

  return (
    <Modal opened onClose={onClose} title={credential ? words.credentials.edit : words.credentials.add} centered>
      <form
        autoComplete="off"
        onSubmit={(event) => {
          event.preventDefault();
          save();
        }}
      >
        <Stack>
          <TextInput
            label={words.credentials.name}
            description={words.credentials.nameHint}
            value={name}
            error={wrong}
            disabled={credential !== null && credential.kind !== null}
            data-autofocus
            required
            onChange={(event) => setName(event.target.value)}
          />
          <Select
            label={words.credentials.kind}
            data={(kinds.data ?? []).map((one) => ({ value: one.name, label: one.title }))}
            value={kindName}
            allowDeselect={false}
            onChange={(value) => setKind(value ?? 'generic')}
          />
          {fields.map((field) => (
            <Group key={field.name} align="flex-end" wrap="nowrap">
              <FieldInput
                field={field}
                value={values[field.name] ?? ''}
                there={there.has(field.name)}
                onChange={(value) => setValues({ ...values, [field.name]: value })}
              />
              {named.length === 0 && (
                <ActionIcon
                  variant="subtle"
                  color="gray"
                  size="lg"
                  aria-label={fill(words.credentials.removeField, { name: field.name })}
                  onClick={() => setOwn(own.filter((one) => one !== field.name))}
                >
                  <IconTrash size={16} />
                </ActionIcon>
              )}
            </Group>
          ))}
          {kind && named.length === 0 && <NewField taken={own} onAdd={(field) => setOwn([...own, field])} />}
          {set.error && <ErrorMessage title={words.home.failed} error={set.error} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {words.home.cancel}
            </Button>
            <Button type="submit" loading={set.isPending} disabled={!name || wrong || missing || fields.length === 0}>
              {words.credentials.save}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

interface FieldProps {
  readonly field: Field;
  readonly value: string;
  readonly there: boolean;
  readonly onChange: (value: string) => void;
}

function FieldInput({ field, value, there, onChange }: FieldProps) {
  const common = {
    label: field.name,
    description: field.description || undefined,
    required: field.required && !there,
    placeholder: there ? words.credentials.kept : '',
    value,
    flex: 1,
  };
  if (field.choices.length) {
    return <Select {...common} data={field.choices} onChange={(chosen) => onChange(chosen ?? '')} clearable />;
  }
  const Input = field.secret ? PasswordInput : TextInput;
  return <Input {...common} autoComplete="new-password" onChange={(event) => onChange(event.target.value)} />;
}

function NewField({ taken, onAdd }: { readonly taken: readonly string[]; readonly onAdd: (name: string) => void }) {
  const [name, setName] = useState('');
  const add = () => {
    onAdd(name.trim());
    setName('');
  };
  return (
    <Group align="flex-end" wrap="nowrap">
      <TextInput
        flex={1}
        label={words.credentials.field}
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      <Button
        variant="default"
        leftSection={<IconPlus size={16} />}
        disabled={!name.trim() || taken.includes(name.trim())}
        onClick={add}
      >
        {words.credentials.addField}
      </Button>
    </Group>
  );
}

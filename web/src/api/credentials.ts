/** Credentials as queries: values only go in. */

import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { ask, client, type Schemas } from './client';

const KEY = ['credentials'];

/** All credentials, without values, and how the vault stands. */
export function useCredentials() {
  return useQuery({ queryKey: KEY, queryFn: () => ask(client.GET('/api/v1/credentials')) });
}

/** The kinds of credentials, with their fields. */
export function useCredentialKinds() {
  return useQuery({
    queryKey: ['credential-kinds'],
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: () => ask(client.GET('/api/v1/credential-kinds')),
  });
}

/** Make the vault. */
export function useMakeVault() {
  return useChange(() => ask(client.POST('/api/v1/vault')));
}

/** Set a credential; a field of null keeps the value that is there. */
export function useSetCredential() {
  return useChange(({ name, ...body }: { name: string } & Schemas['PutCredential']) =>
    ask(client.PUT('/api/v1/credentials/{name}', { params: { path: { name } }, body })),
  );
}

/** Delete a credential. */
export function useDeleteCredential() {
  return useChange((name: string) => ask(client.DELETE('/api/v1/credentials/{name}', { params: { path: { name } } })));
}

/** Try whether a credential works. */
export function useTestCredential() {
  return useMutation({
    mutationFn: (name: string) => ask(client.POST('/api/v1/credentials/{name}/test', { params: { path: { name } } })),
  });
}

function useChange<Input, Output>(change: (input: Input) => Promise<Output>) {
  const queries = useQueryClient();
  return useMutation({ mutationFn: change, onSettled: () => queries.invalidateQueries({ queryKey: KEY }) });
}

/** Where an agent types what they look for. The arrows walk through what is found, Enter opens it, Esc ends it. */
import type { RefObject, VNode } from "preact";
import { CloseIcon, SearchIcon } from "../../ui/icons.tsx";
import { type Item, RESULTS } from "./Results.tsx";
import type { Search } from "./useSearch.ts";

/** Characters that the server looks at. */
const LONGEST = 256;

interface FieldProps {
  readonly field: RefObject<HTMLInputElement | null>;
  readonly query: string;
  readonly search: Search;
  onQuery(query: string): void;
  onOpen(item: Item): void;
}

export function Field({ field, query, search, onQuery, onOpen }: FieldProps): VNode {
  const { active, chosen, state } = search;
  const press = (event: KeyboardEvent): void => {
    if (event.isComposing || !active) return;
    if (event.key === "ArrowDown") search.move(1);
    else if (event.key === "ArrowUp") search.move(-1);
    else if (event.key === "Enter" && chosen !== null) onOpen(chosen);
    else return;
    event.preventDefault();
  };
  return (
    <search class="search">
      {state.phase === "searching" ? <i class="tw-spinner search-spinner" /> : <SearchIcon size={16} />}
      <input
        ref={field}
        type="text"
        role="combobox"
        aria-expanded={active}
        aria-controls={RESULTS}
        aria-activedescendant={active && chosen !== null ? `found-${chosen.key}` : undefined}
        aria-label="Search people and messages"
        aria-keyshortcuts="/"
        value={query}
        placeholder="Search people and messages"
        maxLength={LONGEST}
        autocomplete="off"
        spellcheck={false}
        enterkeyhint="search"
        onInput={(event) => onQuery(event.currentTarget.value)}
        onKeyDown={press}
        data-testid="search"
      />
      {query === "" ? (
        <kbd>/</kbd>
      ) : (
        <button
          type="button"
          aria-label="Clear the search"
          title="Clear (Esc)"
          onClick={() => {
            onQuery("");
            field.current?.focus();
          }}
          data-testid="search-clear"
        >
          <CloseIcon size={14} />
        </button>
      )}
    </search>
  );
}

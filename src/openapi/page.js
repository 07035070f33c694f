/** What the page of the API does beyond Swagger UI. Runs in the browser. */
globalThis.voxgatePage = () => {
  const lower = value => String(value ?? '').toLowerCase()

  /** Whether an operation has the words in what is shown of it: also its id and its method of the upstream. */
  const mentions = (entry, tag, words) => {
    const operation = entry.get('operation')
    const texts = ['operationId', 'summary', 'description'].map(name => operation.get(name))
    const text = lower([tag, entry.get('method'), entry.get('path'), ...texts].join(' '))
    return words.every(word => text.includes(word))
  }

  /** The sections that have operations with every word of the phrase, with those operations alone. */
  const opsFilter = (sections, phrase) => {
    const words = lower(phrase).split(/\s+/).filter(Boolean)
    return sections
      .map((section, tag) => section.update('operations', operations => operations.filter(entry => mentions(entry, tag, words))))
      .filter(section => section.get('operations').size > 0)
  }

  /** Maximum operations to show initially: beyond that, the sections stay closed. */
  const shownAtOnce = 40

  return {
    fn: { opsFilter },
    statePlugins: {
      layout: {
        wrapActions: {
          updateFilter: (original, system) => phrase => {
            const done = original(phrase)
            const found =
              typeof phrase === 'string' && phrase.length > 2 ? opsFilter(system.specSelectors.taggedOperations(), phrase) : undefined
            const count = found?.reduce((sum, section) => sum + section.get('operations').size, 0) ?? 0
            if (count > 0 && count <= shownAtOnce) for (const tag of found.keys()) system.layoutActions.show(['operations-tag', tag], true)
            return done
          }
        }
      },
      spec: {
        wrapActions: {
          // One key for each press of Execute: a key from the document would be everybody's.
          executeRequest: original => request => {
            const header = request.operation?.get('parameters')?.find(parameter => parameter.get('x-fresh'))
            const name = header && `header.${header.get('name')}`
            return original(
              name && !request.parameters[name]
                ? { ...request, parameters: { ...request.parameters, [name]: globalThis.crypto.randomUUID() } }
                : request
            )
          }
        }
      }
    },
    wrapComponents: {
      // The first field, that of the API key, has the focus; Swagger UI would give it to the last.
      authorizationPopup: (Original, { React }) => {
        const focusFirst = element => element?.querySelector('input')?.focus()
        return props => React.createElement('div', { ref: focusFirst }, React.createElement(Original, props))
      }
    }
  }
}

"""The only place where things happen over time: workers, runs, debounce, latest wins, results."""

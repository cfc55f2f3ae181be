"""The life of jobs, renders and attempts: the only writer of their tables.

`load` brings a job in, `claim` hands renders to a worker, `close` ends attempts, `control` does
what people ask for, `leases` knows which workers live, `rests` what sends nothing, `signatures`
what turns show again. A claim asks `turns` whose turn it is, `dealer` shares the batch, `purse`
keeps to the caps. Functions take an open transaction and never commit it.
"""

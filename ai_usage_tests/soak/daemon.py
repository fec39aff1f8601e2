"""`dagster-daemon`, whose schedules are looked at every two seconds instead of every minute.

Belongs here: that one change. A day of the rehearsal would otherwise wait half a minute of real time for the next look.
"""

from dagster._daemon.cli import main
from dagster._scheduler import scheduler

scheduler._get_next_scheduler_iteration_time = lambda start_time: start_time + 2

if __name__ == "__main__":
    main()

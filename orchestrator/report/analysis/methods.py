"""How each kind of statement of the report is computed, and how often it may be false.

The one source of the page `methods.html` beside a report and of METHODS.md beside this file. `rows` are those
of `tests/bench/statistics_honest.py` that measure the error rate; a statement without any has none measured.
References: what a method was taken from.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Statement:
    """`says`: words of the clauses by which the report makes it, and that no clause of another one has."""

    title: str
    says: tuple[str, ...]
    definition: str
    error: str
    reference: str = ""
    rows: tuple[str, ...] = ()


STATEMENTS = (
    Statement(
        "The interval beside a quality",
        (" a training run", "no confidence interval", "so no interval", "may be off by up to"),
        "The mean score over k seeds and the t-interval around it, at 5 % over the number of cells of the "
        "task (Bonferroni); the half width h of a mean m between 0 and 1 becomes h / (m (1 - m)) on the "
        "logit scale. Its variance is the sum of two parts, one of seeds and one of the n test documents, "
        "which are crossed; what mixes both is counted once. To a score A / B, sums over documents, one of "
        "them adds A / B + n (a - b A / B) / B. The seeds' part is the variance of the k scores over k; the "
        "documents' part is the variance over documents of what they add in the mean over seeds, over n, "
        "less the mean square of the residual of seeds and documents over k n, and at least 0. The degrees "
        "of freedom are Satterthwaite's, of k - 1 and n - 1, with the seeds' part at an upper limit: times "
        "k - 1 over the quantile of chi-squared at 0.3 (level / 0.05)^(3/4), or at one half if that is "
        "less. The seeds' variance s^2 is moderated over the cells of the task: (d s0^2 + (k - 1) s^2) / (d "
        "+ k - 1), but at least s^2, with d + k - 1 degrees of freedom, but no more than all cells have "
        "together. d and s0^2 are those of limma, where the variance of the logarithms is a quarter of its "
        "standard error larger. With folds, K / (K - 1) times the variance of a seed is added to the "
        "documents' part, for training parts that overlap.",
        "With 95 % confidence the intervals of all cells of a task contain their expected scores over "
        "other seeds and other test documents, the chosen cell included. They assume "
        "the same training part and, where the files do not say which documents belong to one patient"
        " or note, independent documents.",
        "Obuchowski and Rockette 1995; Satterthwaite 1946; Smyth 2004 (limma); with folds Nadeau and "
        "Bengio 2003",
        ("S2", "S5"),
    ),
    Statement(
        "The score without choosing",
        ("tends to be too good", "tend to be too good", "chosen by some seeds"),
        "Each seed and each fifth of the documents is left out in turn, a cell is chosen by all "
        "others, and scored on what was left out. The report gives the mean over all of these.",
        "On average at most 0.3 of its standard error above the expected score of the chosen cell.",
        "Andrews, Kitagawa and McCloskey 2024, on why the score that chose is too good",
        ("S2",),
    ),
    Statement(
        "Good enough, and nothing cheaper",
        (
            "anything cheaper comes within",
            "Nothing cheaper",
            "Nothing is cheaper",
            "of the best of all",
            "of the others cannot be judged",
            "statements holds at",
            "the model named is shown to be good enough",
            "is good enough is measured",
            "is shown to reach it",
            "would reach it is open",
            "No model scored",
        ),
        "A cell is shown to be within a margin of the best where each other cell, less this one, has "
        "an upper limit below the margin; nothing cheaper is shown to come within it where the best, "
        "less each cheaper cell, has a lower limit above it. Limits are one-sided, paired by seeds "
        "and documents, at 5 % over the number of cells. What is neither is open.",
        "Each of the two is false in at most 5 % of sweeps.",
        "Hsu 1984; non-inferiority tests",
        ("S1",),
    ),
    Statement(
        "How much worse the model named may be",
        (
            "the model named may be up to",
            "is not shown to be worse",
            "is not shown to miss it",
            "% of what",
            "a half of what",
            "a third of what",
            "a quarter of what",
            "a fifth of what",
            "a tenth of what",
        ),
        "The largest upper limit over all other cells of their score less that of the model named.",
        "With 95 % confidence no cell is better by more.",
        "Hsu 1984",
        ("S12",),
    ),
    Statement(
        "The set of the best",
        (
            "the best of the",
            "these results do not settle",
            "scored highest of them",
            "The set of the best",
            "the set of the best",
            "cannot be judged against",
            "one seed and cannot be judged",
        ),
        "A cell leaves the set where the cell that scored highest is better by a one-sided paired "
        "test at 5 % over the number of its rivals, which is enough, because only the best cell itself can "
        "be left out by mistake. So a cell that is left out is shown not to be the best; that it is worse "
        "than the cell that scored highest is shown where that one is alone in the set. The tests of pairs "
        "are two-sided and corrected over their family, so they may differ from the set on a pair: then "
        "its sentence says so. A sentence over several tasks holds at 95 % on each of them.",
        "With 95 % confidence the set contains the best cell.",
        "Hsu 1981, multiple comparisons with the best",
        ("S3", "S4"),
    ),
    Statement(
        "One beats another",
        (
            " beats ",
            "cannot be distinguished on",
            "do not distinguish the two",
            "The two can be distinguished",
            "scored the same on",
            "points above",
            "which this test, two-sided",
            " in the mean alone",
            "nothing is claimed",
            "no scatter to",
        ),
        "The difference of two means on the same seeds and documents, with the variance of an interval "
        "beside a quality; its moderation leaves out what a seed does to all cells alike, and gives a "
        "difference twice the variance of a cell. P-values are two-sided and corrected by Holm's method "
        "over the family, and the interval holds for all of the family at once (Bonferroni); where Holm's "
        "method shows a difference and that interval does not, it ends at 0. Methods, domains and models "
        "are compared over all combinations of the other two; in how many of these the better one scored "
        "higher is given beside it. Steps along the frontier are corrected for every two scored cells, "
        "because their results picked them. The gain of a matched domain has an interval that is made in "
        "the same way, for each task separately.",
        "A family in which nothing differs claims something in at most 5 % of sweeps. Each family of "
        "each task has its own 5 %; the number of families is given under the answer.",
        "Holm 1979; Smyth 2004; Anders and Huber 2010",
        ("S3",),
    ),
    Statement(
        "What could have been shown",
        (
            "would have been shown",
            "would show a smaller one",
            "What would narrow the set",
            "would have been left out",
            "not have been left out",
            "would help",
        ),
        "The smallest difference that could have been distinguished with the observed scatter, and "
        "whether seeds or documents are the larger part of its variance. How many seeds: the "
        "least with which a measured difference of the margin would be distinguishable, if seeds and "
        "documents scatter as they did; of more than 50 it is said that seeds cannot.",
        "The part that is named is the right one in at least 90 % of sweeps. With 3 seeds and 2,000 "
        "documents half of the true steps of 1.5, 4 and 6 points along a frontier of 4 in 12 cells "
        "are distinguished. The seeds that are given settle 1.25 times the margin, or 50 do not settle 0.8 "
        "times, in all of 40 sweeps with 1,000 documents and with 4,000.",
        "",
        ("S4",),
    ),
    Statement(
        "Neighbours along the frontier",
        ("Along the frontier",),
        "Runs of neighbours, by cost, of which no two can be distinguished by the tests of the steps.",
        "As for these tests. Two cells that cannot be distinguished are not necessarily equally good.",
        "Holm 1979",
        ("S4",),
    ),
    Statement(
        "The probability of being on the frontier, or near it",
        ("on the frontier with", "Probabilities", "◆", "◇"),
        "The share of 1,000 draws of true scores and true costs in which no other cell is at least as good "
        "and as cheap, and better or cheaper; near: in which no other cell is more than 1 point better and "
        "more than 5 % cheaper at once. Cell i has the true score t_i = a + b x_i + u_i and the measured "
        "score m_i = t_i + e_i. x_i is the logarithm of its cost, less the mean and over the standard "
        "deviation of the cells. The u_i are independent and normal with the standard deviation v; the e_i "
        "are normal with the covariance E. E is the sum of two parts. That of seeds is on the diagonal: the "
        "moderated variance of a seed, without what a seed does to all cells alike, times 1 / k, with folds "
        "times 1 / k + K / (K - 1). That of documents is, for cells with one test part, the sum over its n "
        "documents of f_id f_jd, where f_id is (y_id - m_i) (r_i / (n (n - 1)))^(1/2), y_id is what "
        "document d adds in the mean over seeds, and r_i is the share of the variance of the y_id that is "
        "left without what mixes seeds and documents. a may be anything. b is 0 with the probability 1/2, "
        "else normal around 0 with a standard deviation w. w may be anything from 0.05 to 2, and v anything "
        "from 0.03 to 2 times the standard deviation of the m_i, all values alike; both are summed over, on "
        "10 and 16 values, weighed by the density of the m_i with a and b integrated out. A draw takes v "
        "and w by these weights, then a and b given the m_i, then t from the normal distribution with the "
        "mean l + G (m - l) and the covariance G E, where l = a + b x and G = v^2 (v^2 I + E)^-1: so luck "
        "in the scores is allowed for. A cost is the measured one times exp(z s), z from the t-distribution "
        "with d + k - 1 degrees of freedom and s^2 the moderated variance of the logarithm of device-hours "
        "over k; time and money move alike, other costs do not move. So drawn are the cells that are in "
        "doubt. They are found by 1,000 draws around what was measured: a score with its own t-interval "
        "over seeds, plus the sum of f_id q_d, q_d normal and one for all cells, a cost with that of its "
        "logarithm. A cell that is neither on the frontier nor near it in any of them has the probability "
        "0, and where fewer than three are in doubt these draws are counted. A cell of one seed is drawn "
        "with the scatter of the others, and has no probability.",
        "Over many different sweeps a probability of p is true in p of the cases, within 10 points. This "
        "does not hold for each truth: with a fixed frontier of 4 in 12 cells, cells given 30 to 80 % are "
        "on it 28 to 49 points more often than stated, so the probabilities are too cautious there. It "
        "assumes that the scores of cells rise or fall with the logarithm of the cost, that what they "
        "scatter around the line is alike and independent (it is not for cells that share a model or a "
        "method), that E is known, and that scores and costs err independently. The scores of a cell with "
        "failed seeds are in two groups and are taken as normal.",
        "Efron and Morris 1975; Laumanns et al. 2002 for nearness",
        ("S6",),
    ),
    Statement(
        "The mean quality over budgets",
        ("hypervolume",),
        "The area under the frontier over the logarithm of the cost, as a share of what a quality of "
        "1 would give; its interval is that of the basic bootstrap over the draws of seeds and "
        "documents. There is none where seeds of a cell failed.",
        "The interval that is called 95 % is made of the 0.5 % and 99.5 % of the draws, and holds the "
        "true one in 96 to 100 %. The value is too high by 0 to 2 points, most where cells are alike.",
        "Zitzler and Thiele 1999; Davison and Hinkley 1997",
        ("S8",),
    ),
    Statement(
        "Over all tasks",
        ("Normalised mean: ", "Mean rank: "),
        "The normalised mean takes each metric from what guessing gives to 1, then the mean over the "
        "tasks. The rank of a cell in a task is between 1 more than the cells shown to be better and "
        "the last place less the cells shown to be worse, by paired tests of all pairs at 5 % over "
        "their number (Bonferroni). Of more than 40 cells no interval of ranks is given.",
        "With 95 % confidence the intervals of all mean ranks hold at once: of 12 cells in steps of 0.2 "
        "or 1 point, over 3 tasks of 400 documents, they did in all sweeps. They leave little out: with "
        "steps of 1 point they are 8.9 (3 seeds) and 7.2 (5 seeds) of 11 places wide, and with steps of "
        "0.2 point all 11. The intervals of the normalised mean hold one by one, in 94 to 99 %. Nothing "
        "is said about other tasks.",
        "Mogstad, Romano, Shaikh and Wilhelm 2024; Klein, Wright and Wieczorek 2020",
        ("S8",),
    ),
    Statement(
        "Nothing was learnt",
        ("than guessing", "with most seeds", "no score here is a result", "nothing is recommended"),
        "Stated where no score is above that of one answer to everything, where most seeds failed, or where "
        "no cell is shown to be above it: by its interval of all cells at once, which for a cell with failed "
        "seeds is that of the seeds that worked, of which there must be two. Failed seeds count with what "
        "guessing gives, so the expected score of such a cell is above guessing exactly if that of the seeds "
        "that work is. A cell of which no seed failed and nothing tells of scatter (one seed, or seeds that "
        "are all alike) counts as above it if its score is more than 5 points above (of an error, 5 % of "
        "what guessing gives). Nothing is recommended then. In a table of what to take by budget, the first "
        "row is that of a cell that is shown to be above guessing.",
        "Where intervals decide, a cell is called better than guessing though none is in at most 5 % of "
        "sweeps, also where 30 % of the seeds fail; where a score alone decides, nothing is known. Where a "
        'cell does learn more than guessing gives, the report may still say "not shown": it is a limit of '
        "the data.",
        rows=("S7",),
    ),
    Statement(
        "Seeds that fail",
        (
            "no seed of",
            "the failure rate may",
            "of its seeds may fail",
            "seeds collapsed",
            "seeds diverged",
            "have no common scatter",
            "that worked scored",
        ),
        "Seeds that collapsed or diverged count with what guessing gives (failures: count). The share"
        " of seeds that fail has an exact binomial interval; where none failed, its upper limit "
        "alone. Scores of seeds that failed and of seeds that worked are two groups, whose scatter no "
        "t-interval describes. So a rival is judged by its seeds that worked, which can only flatter it; a "
        "single one by how the seeds of the other cells scatter. A difference of two cells with such seeds "
        "has an interval only where it is shown in spite of their scatter, of which what mixes seeds and "
        "documents is then counted twice. Folds that failed add what guessing gives on all folds, by their "
        "share of the test texts.",
        "At least 95 %.",
        "Clopper and Pearson 1934; Hanley and Lippman-Hand 1983",
        ("S7",),
    ),
    Statement(
        "Published numbers beside ours",
        ("agree within 1 point", "differ by more"),
        "Two one-sided tests at 5 % with a margin of 1 point, over our seeds and their runs (Welch). "
        "A published maximum of k runs is compared with the expected maximum of k of ours.",
        '"Agrees" and "differs" are each false in at most 5 %. What is neither is open.',
        "Schuirmann 1987; Lakens 2017",
        ("S8",),
    ),
    Statement(
        "Costs",
        ("device-hours a training run",),
        "Devices times the seconds in which a trial loads its weights, trains and scores: the mean over "
        "seeds, with a t-interval. Trials start seed by seed, so that the load of the machine is part of "
        "the scatter.",
        "95 %, also where the load varies by 5 to 20 % and is forgotten within a block of trials. A "
        "rare trial that takes several times as long is missed by two to five seeds: then the "
        "interval is too low.",
        "Mytkowicz et al. 2009; Kalibera and Jones 2013",
        ("S13",),
    ),
    Statement(
        "Forecasts and budgets",
        ("of 10 such sweeps end inside each",),
        "400 drawn sweeps: a load common to all trials (10 %), errors common to those that rest on "
        "the same ground, the scatter of finished trials with one straggler in twenty invented ones, "
        "and the schedule. Device-hours, money and kWh are means; the wall clock is the median of the "
        "drawn schedules.",
        "9 of 10 totals end inside; 7 to 8 of 10 where one trial in ten takes three times as long, and "
        "83 to 84 in 100 where one in twenty does and only one of each had finished. With "
        "one finished trial of each model, method and task, and as many slots as trials, 7 to 8 of 10 "
        "wall clocks end inside; where trials scatter by 5 %, the others end sooner. The wall clock "
        "is above the one named in 36 to 43 % of sweeps where one trial in twenty takes three times "
        "as long and three of each are finished, in 51 to 62 % where one in ten does, and in fewer where "
        "trials scatter less: it is too cautious there.",
        "",
        ("S8",),
    ),
    Statement(
        "Time left, in `frontier status --watch`",
        ("left (95 %",),
        "The prediction interval of a sum by the t-distribution, from finished trials beside their "
        "forecasts.",
        "Not measured; errors that all trials share are not in it.",
        "Montgomery and Runger, section 8-6",
    ),
    Statement(
        "Composite scores",
        ("The order depends on",),
        "As in the analysis of Taylor et al. 2024. The order is checked without each point, and with "
        "outlying points in each choice of columns.",
        "The scatter over seeds is not examined.",
        "Taylor et al. 2024",
    ),
    Statement(
        "Figures without a test",
        ("Knee", "costs less", "never pays off", "Cheapest"),
        "The knee of a frontier, the cheapest within so many points in the tables, from which volume "
        "on a larger model pays off, and dev scores of searches: means and the best of candidates.",
        "None. A dev score of a search is the best of its candidates, and so too high.",
    ),
    Statement(
        "Looks at a running sweep",
        ("one look at the complete sweep", "are corrected within each of"),
        "All error rates are those of one report of a complete sweep, on a test part that was not "
        "used before.",
        "An analyst who looks at 4 equal cells after 3, 4, 5, 6, 8 and 10 seeds and stops at the first claim "
        "makes a false one in 8 to 10 % of sweeps; with one look, in 1 to 3 %. A test part on which many "
        "sweeps were compared gives results that are too good; by how much was not simulated.",
        "Lan and DeMets 1983; Dwork et al. 2015",
        ("S9",),
    ),
)

PARAGRAPH = (
    "Scores are means over {seeds} of the test part, with intervals {over} that hold for all compared "
    "models of a task at once (Bonferroni; crossed effects, Satterthwaite's degrees of freedom, "
    "variances over seeds moderated over the models, Smyth 2004). Differences are paired by "
    "seeds{documents} and corrected by Holm's method within each family. Seeds whose training "
    "collapsed or diverged {failed}. Computed with {versions}."
)
